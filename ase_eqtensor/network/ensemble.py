"""Ensembles as one network (network/members.py): put together from networks, and taken apart."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from .model import TensorNetwork


def merge(networks: Sequence[TensorNetwork]) -> TensorNetwork:
    """One network, the members of which are those of `networks`, in order.

    Raises ValueError if the architectures differ in more than `members` and `reference`.
    """
    first = networks[0].architecture
    for network in networks:
        own = network.architecture
        if replace(own, members=first.members, reference=first.reference) != first:
            raise ValueError(f"cannot merge networks of different architectures: {own}, {first}")
    reference = {
        head: [row for network in networks for row in _rows(network, head)]
        for head in first.reference
    }
    states = [network.state_dict() for network in networks]
    state = {name: torch.cat([one[name] for one in states]) for name in states[0]}
    members = sum(network.architecture.members for network in networks)
    return TensorNetwork.trained(replace(first, members=members, reference=reference), state)


def select(network: TensorNetwork, members: Sequence[int]) -> TensorNetwork:
    """The network made of some members of another, by index."""
    old = network.architecture
    reference = {head: [_rows(network, head)[i] for i in members] for head in old.reference}
    state = {name: value[list(members)] for name, value in network.state_dict().items()}
    return TensorNetwork.trained(replace(old, members=len(members), reference=reference), state)


def _rows(network: TensorNetwork, head: str) -> list[list[float]]:
    """The reference of each member."""
    rows = network.architecture.reference[head]
    return rows if len(rows) > 1 else rows * network.architecture.members
