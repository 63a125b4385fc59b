"""The formation energy, an old target that the network can be trained on as well."""

from ..tensors.forms import NUMBER
from .base import Display, Head, Quantity

NAME = "formation_energy"
HEAD = Head(NAME, NUMBER, lambda tensors: tensors.get(NAME), logarithm=False)

FORMATION_ENERGY = Quantity(
    name=NAME,
    meaning="formation energy per atom from the elements, at 0 K",
    unit="eV/atom",
    form=NUMBER,
    heads=(HEAD,),
    from_heads=lambda heads: heads[HEAD.name],
    display=Display("Formation energy", "formation energy", "E", "eV/atom", 1.0, 3, ""),
    offered=False,
)
