"""How tensors scale with volume, distances and neighbours, before the network has learnt anything.

Crystals at equilibrium do not tell: there the elements fix the distances. Physics does.

A tensor that is an energy, a dipole or a polarisability per volume falls as the inverse volume of
an atom. A stiffness per atom, K V / N, falls with about the tenth power of the distance between
neighbours, because K' = -dlnK/dlnV is about 4 in most solids (O. L. Anderson, J. Geophys. Res. 71,
3963 (1966); 4.4 in the median of our labels). An ionic polarisability is the inverse of a force
constant; with a Grüneisen parameter of 1 of the transverse optical mode it rises with the sixth
power. (It is 2 in most crystals, but the twelfth power carries too far where bonds are long for
other reasons than pressure, as those of Tl, Hg and Bi.) And it needs charges, which atoms among
their like hardly have. The network says what is to be added, smoothly, for every crystal.
"""

from typing import NamedTuple

import torch
from ase.data import covalent_radii

from ..crystal.graph import GraphBatch
from ..quantities import Head
from .readout import crystal_mean

POWER = 8  # high enough for the nearest neighbours to decide, low enough to count them
SWITCH = 0.9  # of the cutoff, from which on neighbours fade out
FAINTEST = 1e-3  # of the sum over neighbours; bounds the distance of an atom that is all but free
NO_CONTRAST = 0.01  # what is left of an ionic part where all atoms are alike


class Scaling(NamedTuple):
    """What the tensors of B crystals scale with, means over their atoms; all (B,) float64.

    volume: of an atom, Å^3.
    distance: mean of ln d_a, where

            d_a = ( sum_b w_ab )^(-1/8),  w_ab = (r_ab / (R_a + R_b))^-8,

        is a smooth least distance to the neighbours b in units of the sum of covalent radii R. It
        grows by ln x where all distances do by the factor x, knows nothing of empty space beyond
        the neighbours, and grows where an atom loses some of them.
    contrast: logarithm of the share of neighbours that are another element than the atom itself,
        with the weights w_ab.
    """

    volume: torch.Tensor
    distance: torch.Tensor
    contrast: torch.Tensor

    @classmethod
    def of(cls, graph: GraphBatch, cutoff: float) -> "Scaling":
        """`cutoff` in Å is that of the graph's edges."""
        radius = torch.from_numpy(covalent_radii).to(graph.vector.device)[graph.numbers]
        sender, receiver = graph.sender, graph.receiver
        length = graph.vector.norm(dim=1)
        fading = ((length / cutoff - SWITCH) / (1 - SWITCH)).clamp(0, 1)
        fading = 1 - fading**3 * (10 - 15 * fading + 6 * fading**2)
        weight = fading * ((radius[receiver] + radius[sender]) / length) ** POWER
        unlike = graph.numbers[receiver] != graph.numbers[sender]
        weights = torch.stack([weight, weight * unlike], dim=1)
        sums = weights.new_zeros(len(radius), 2).index_add(0, receiver, weights)
        total = sums[:, 0] + FAINTEST
        of_atoms = torch.stack([total.log() / -POWER, sums[:, 1] / total], dim=1)
        distance, contrast = crystal_mean(of_atoms, graph).T
        return cls(graph.volume, distance, (contrast + NO_CONTRAST).log())

    def logarithm(self, head: Head) -> torch.Tensor:
        """(B,), of the factor by which the tensor of a density varies."""
        powers = head.distance_power * self.distance + head.contrast_power * self.contrast
        return powers - self.volume.log()
