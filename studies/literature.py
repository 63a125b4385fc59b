"""Crystals as the literature describes them."""

from ase import Atoms
from ase.spacegroup import crystal


def described(symbols: str, sites: list[tuple], group: int, cell: tuple) -> Atoms:
    """The primitive cell of a crystal.

    Args:
        symbols: of its sites, with spaces between. sites: their fractional coordinates.
        group: number of the space group. cell: a, b, c in Å, and angles in degrees.
    """
    return crystal(symbols.split(), sites, spacegroup=group, cellpar=cell, primitive_cell=True)
