"""The quantities of a crystal that this package knows, each declared once.

To add one: write its `Quantity` in a module of its own and list it in `QUANTITIES`. To train it,
write its target (train/targets/). Network, projection, uncertainty, files, databases, tables,
reports, model cards and metrics ask the declarations and need no change.
"""

from collections.abc import Mapping

import numpy as np
from ase import Atoms

from .base import POLAR, Density, Display, Head, Quantity, Scalar, Series, Surface
from .formation_energy import FORMATION_ENERGY
from .permittivity import ELECTRONIC, TOTAL
from .piezoelectric import PIEZOELECTRIC
from .stiffness import COMPLIANCE, STIFFNESS

__all__ = [
    "POLAR",
    "QUANTITIES",
    "Density",
    "Display",
    "Head",
    "Quantity",
    "Scalar",
    "Series",
    "Surface",
    "heads",
    "offered",
    "scalars",
    "stored",
]

# name -> quantity, in the order in which tables, files and reports have them
QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (STIFFNESS, COMPLIANCE, ELECTRONIC, TOTAL, PIEZOELECTRIC, FORMATION_ENERGY)
}


def offered() -> dict[str, Quantity]:
    """Those that a calculator may offer, by name."""
    return {name: quantity for name, quantity in QUANTITIES.items() if quantity.offered}


def stored() -> dict[str, Quantity]:
    """Those that files keep, by name; the others follow from them."""
    return {name: quantity for name, quantity in offered().items() if not quantity.inverse_of}


def heads() -> dict[str, Head]:
    """What networks may predict, by name, each once, in the order of the quantities."""
    return {head.name: head for quantity in QUANTITIES.values() for head in quantity.heads}


def scalars(tensors: Mapping[str, np.ndarray], atoms: Atoms) -> dict[str, float]:
    """All scalars that follow from the tensors of one crystal.

    Args:
        tensors: quantity name -> array, in the shapes and units of `QUANTITIES`; the orientation
            does not matter.
        atoms: the crystal, for its density.

    Returns:
        Name of the scalar, see `Quantity.scalars`, -> value; NaN where there is no such number, as
        the Debye temperature of a crystal that is not stable.
    """
    density = Density.of([atoms])
    return {
        name: float(value[0])
        for quantity in QUANTITIES.values()
        if quantity.name in tensors
        for name, value in quantity.scalar_values(
            quantity.from_ase(tensors[quantity.name])[None], density
        ).items()
    }
