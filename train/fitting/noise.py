"""Training crystals with hidden classes and displaced atoms."""

from dataclasses import replace

import torch

from ase_eqtensor.crystal.graph import GraphBatch
from ase_eqtensor.crystal.site_classes import SITE_CLASSES


def hide_classes(graph: GraphBatch, probability: float, random: torch.Generator) -> GraphBatch:
    """The batch with some crystals' atoms in the class of no symmetry, "1", and as many crystals'
    in "unknown", which is what slight noise or a failed symmetry search make of them.

    A network that learns from both does not jump where the symmetry of a crystal is lost.
    """
    drawn = torch.rand(len(graph.size), generator=random).to(graph.site_class.device)
    if not probability:
        return graph
    drawn = drawn[graph.crystal] / probability
    site_class = graph.site_class.where(drawn > 1, SITE_CLASSES.index("1"))
    site_class = site_class.where(drawn > 0.5, SITE_CLASSES.index("unknown"))
    return replace(graph, site_class=site_class)


def shaken(graph: GraphBatch, deviation: float, random: torch.Generator) -> GraphBatch:
    """The batch with every atom displaced at random, its images with it; `deviation` is that of
    each component, in Å. The neighbours stay those of the crystal before."""
    drawn = torch.randn(len(graph.numbers), 3, generator=random, dtype=graph.vector.dtype)
    displacement = deviation * drawn.to(graph.vector.device)
    shift = displacement[graph.sender] - displacement[graph.receiver]
    return replace(graph, vector=graph.vector + shift)
