"""What pymatgen's periodic table says of the elements, kept in a file.

Importing pymatgen takes as long as a prediction; `write_table` makes the file from its table.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

TABLE = Path(__file__).with_suffix(".npz")
NOBLE = 1.5  # electronegativity of elements for which none is tabulated


class Element(NamedTuple):
    """Group 1 ... 18 (lanthanoids and actinoids: 3), Pauling electronegativity (nan where none is
    tabulated), and whether the element is a metal."""

    group: int
    electronegativity: float
    metal: bool


def element(z: int) -> Element:
    """The element of atomic number 1 ... 118."""
    group, electronegativity, metal = (column[z - 1] for column in _columns())
    return Element(int(group), float(electronegativity), bool(metal))


def electronegativities(numbers: np.ndarray) -> np.ndarray:
    """Pauling's, of atomic numbers (N,) 1 ... 118; `NOBLE` where none is tabulated."""
    return np.nan_to_num(_columns()[1][np.asarray(numbers) - 1].astype(float), nan=NOBLE)


@cache
def _columns() -> tuple[np.ndarray, ...]:
    with np.load(TABLE) as file:
        return file["group"], file["electronegativity"], file["metal"]


def write_table() -> None:
    """Write the file from pymatgen's table."""
    import warnings

    from pymatgen.core import Element as PymatgenElement

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # elements without an electronegativity
        rows = [(e.group, e.X, e.is_metal) for e in map(PymatgenElement.from_Z, range(1, 119))]
    group, electronegativity, metal = map(np.array, zip(*rows))
    np.savez_compressed(TABLE, group=group, electronegativity=electronegativity, metal=metal)
