"""How tensors scale with volume, strain and neighbours, before the network has learnt anything.

Crystals at equilibrium do not tell: there the elements fix the distances. Physics does.

A tensor that is an energy, a dipole or a polarisability per volume falls as the inverse volume of
an atom. A stiffness per atom, K V / N, falls with the seventh to tenth power of the lengths when a
crystal is strained, because K' = -dlnK/dlnV is 3 to 5 in most solids (O. L. Anderson, J. Geophys.
Res. 71, 3963 (1966); 4.4 in the median of our labels, which teach what the seventh power lacks). An
ionic polarisability is the inverse of a force constant; with a Grüneisen parameter of 1 of the
transverse optical mode it rises with the sixth power. And it needs charges, which atoms among their
like hardly have. The network says what is to be added, smoothly, for every crystal.

These are powers of the strain of one crystal, not of the bond lengths of different ones: between
polymorphs at rest K V / N hardly depends on them. So they act on the distance to the neighbours
relative to that of the same atoms at rest (rest.py), which relaxed crystals teach without a tensor
(train/fitting/start.py).
"""

from typing import NamedTuple

import torch

from ..crystal.graph import GraphBatch
from ..quantities import Head
from .rest import RestDistance
from .surroundings import Surroundings

NO_CONTRAST = 0.01  # what is left of an ionic part where all atoms are alike


class Scaling(NamedTuple):
    """What the tensors of B crystals scale with according to M members; float64.

    volume: (B,) of an atom, Å^3.
    strain: (M, B) logarithm of the distance to the neighbours over that at rest, mean over atoms.
    contrast: (B,) logarithm of the mean share of neighbours that are another element.
    """

    volume: torch.Tensor
    strain: torch.Tensor
    contrast: torch.Tensor

    @classmethod
    def of(cls, graph: GraphBatch, cutoff: float, rest: RestDistance) -> "Scaling":
        """`cutoff` in Å is that of the graph's edges."""
        surroundings = Surroundings.of(graph, cutoff)
        strain = surroundings.distance - rest(graph, surroundings)
        return cls(graph.volume, strain, (surroundings.contrast + NO_CONTRAST).log())

    def logarithm(self, head: Head) -> torch.Tensor:
        """(M, B), of the factor by which the tensor of a density varies."""
        powers = head.distance_power * self.strain + head.contrast_power * self.contrast
        return powers - self.volume.log()
