"""Ensembles as one network (members.py): networks merged, and members selected."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from .model import TensorNetwork


def merge(networks: Sequence[TensorNetwork]) -> TensorNetwork:
    """The ensemble of all members of `networks`, in order.

    Raises ValueError if the architectures differ in more than `members` and `reference`.
    """
    first = networks[0].architecture
    for network in networks:
        architecture = network.architecture
        if replace(architecture, members=first.members, reference=first.reference) != first:
            raise ValueError(
                f"cannot merge networks of different architectures: {architecture}, {first}"
            )
    reference = {
        head: [row for network in networks for row in _rows(network, head)]
        for head in first.reference
    }
    states = [network.state_dict() for network in networks]
    merged = {name: torch.cat([state[name] for state in states]) for name in states[0]}
    members = sum(network.architecture.members for network in networks)
    return TensorNetwork.trained(replace(first, members=members, reference=reference), merged)


def select(network: TensorNetwork, members: Sequence[int]) -> TensorNetwork:
    """The ensemble of the members of `network` with the indices `members`."""
    architecture = network.architecture
    reference = {
        head: [_rows(network, head)[i] for i in members] for head in architecture.reference
    }
    state = {name: value[list(members)] for name, value in network.state_dict().items()}
    architecture = replace(architecture, members=len(members), reference=reference)
    return TensorNetwork.trained(architecture, state)


def _rows(network: TensorNetwork, head: str) -> list[list[float]]:
    """The reference of each member."""
    rows = network.architecture.reference[head]
    return rows if len(rows) > 1 else rows * network.architecture.members
