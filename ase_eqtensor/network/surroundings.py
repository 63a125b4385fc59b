"""How far the neighbours of an atom are, in units of what their elements let expect."""

from typing import NamedTuple

import torch
from ase.data import covalent_radii

from ..crystal.graph import GraphBatch
from .readout import crystal_mean

POWER = 8  # high enough for the nearest neighbours to decide, low enough to count them
SWITCH = 0.9  # of the cutoff, from which on neighbours fade out
FAINTEST = 1e-3  # of the sum over neighbours; bounds the distance of an atom that is all but free


class Surroundings(NamedTuple):
    """What the atoms of a batch of B crystals with S slots have around them; float64.

    relative: (S,) distance r_ab of each neighbour in units of the sum R_a + R_b of covalent radii.
    fading: (S,) from 1 to 0, smoothly, where neighbours leave the cutoff.
    distance: (B,) mean over the atoms a of ln d_a, where

            d_a = ( sum_b w_ab )^(-1/8),  w_ab = (r_ab / (R_a + R_b))^-8,

        is a smooth least distance to the neighbours b in the same units. It grows by ln x where all
        distances do by the factor x, knows nothing of empty space beyond the neighbours, and grows
        where an atom loses some of them.
    contrast: (B,) mean share of neighbours that are another element than the atom itself, with
        the weights w_ab.
    """

    relative: torch.Tensor
    fading: torch.Tensor
    distance: torch.Tensor
    contrast: torch.Tensor

    @classmethod
    def of(cls, graph: GraphBatch, cutoff: float) -> "Surroundings":
        """`cutoff` in Å is that of the graph's edges."""
        radius = torch.from_numpy(covalent_radii).to(graph.vector.device)[graph.numbers]
        sender, receiver = graph.sender, graph.receiver
        length = graph.vector.norm(dim=1)
        fade = fading(length / cutoff)
        relative = length / (radius[receiver] + radius[sender])
        weight = fade * relative**-POWER
        unlike = graph.numbers[receiver] != graph.numbers[sender]
        weights = torch.stack([weight, weight * unlike], dim=1)
        sums = weights.new_zeros(len(radius), 2).index_add(0, receiver, weights)
        total = sums[:, 0] + FAINTEST
        of_atoms = torch.stack([total.log() / -POWER, sums[:, 1] / total], dim=1)
        return cls(relative, fade, *crystal_mean(of_atoms, graph).T)


def fading(share: torch.Tensor) -> torch.Tensor:
    """From 1 to 0, smoothly, where a length over that at which neighbours end reaches 1."""
    beyond = ((share - SWITCH) / (1 - SWITCH)).clamp(0, 1)
    return 1 - beyond**3 * (10 - 15 * beyond + 6 * beyond**2)
