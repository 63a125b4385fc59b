"""Ensembles as one network (network/members.py): put together from networks, and taken apart."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from .model import TensorNetwork


def merge(networks: Sequence[TensorNetwork]) -> TensorNetwork:
    """One network, the members of which are those of `networks`, in order.

    `Architecture.reference`, the constant that each network adds to its isotropic outputs, becomes
    that of the first; the others' biases take up the difference, so that no member predicts
    anything else than before. Raises ValueError if the architectures differ otherwise.
    """
    first = networks[0].architecture
    for network in networks:
        own = network.architecture
        if replace(own, members=first.members, reference=first.reference) != first:
            raise ValueError(f"cannot merge networks of different architectures: {own}, {first}")
    members = sum(network.architecture.members for network in networks)
    states = [_referred_to(network, first.reference) for network in networks]
    state = {name: torch.cat([s[name] for s in states]) for name in states[0]}
    return TensorNetwork.trained(replace(first, members=members), state)


def select(network: TensorNetwork, members: Sequence[int]) -> TensorNetwork:
    """The network made of some members of another, by index."""
    state = {name: value[list(members)] for name, value in network.state_dict().items()}
    return TensorNetwork.trained(replace(network.architecture, members=len(members)), state)


def _referred_to(network: TensorNetwork, reference: dict[str, list[float]]) -> dict:
    """The network's state for another reference."""
    state = {name: value.clone() for name, value in network.state_dict().items()}
    own = network.architecture.reference
    for name in own.keys() | reference.keys():
        bias = state[f"heads.{name}.scalars.2.bias"]
        for values, sign in ((own.get(name, []), 1), (reference.get(name, []), -1)):
            bias[:, 0, : len(values)] += sign * torch.tensor(values, dtype=bias.dtype)
    return state
