"""Crystals made from others: compressed and stretched, shaken, and with a defect."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from ase import Atoms
from ase.build import make_supercell

from ase_eqtensor.crystal.lattice import bare
from ase_eqtensor.crystal.validation import describe
from ase_eqtensor.errors import DataError
from ase_eqtensor.potential.symmetric import LENGTH, SymmetricCrystal


def at_volume(crystal: SymmetricCrystal, ratio: float) -> SymmetricCrystal:
    """The crystal with its volume times `ratio`, all lengths scaled alike."""
    x = np.zeros(6 + 3 * len(crystal.atoms))
    x[:3] = LENGTH * (ratio ** (1 / 3) - 1)
    return crystal.moved(x)


def chosen(ratios: Sequence[float], key: str, count: int) -> list[float]:
    """`count` of the ratios, ascending. Which ones follows from the key alone, so that many
    crystals cover all ratios evenly, and a second run chooses the same."""
    order = sorted(ratios, key=lambda ratio: sha256(f"{key} {ratio}".encode()).digest())
    return sorted(order[:count])


def rattled(atoms: Atoms, amplitude: float, seed: int) -> Atoms:
    """A copy with every coordinate displaced at random, normally distributed with the standard
    deviation `amplitude` (Å)."""
    copy = bare(atoms)
    copy.positions += np.random.default_rng(seed).normal(scale=amplitude, size=copy.positions.shape)
    return copy


def with_defect(atoms: Atoms, index: int, symbol: str | None, min_atoms: int = 64) -> Atoms:
    """A supercell of at least `min_atoms` atoms with one defect, not relaxed.

    Args:
        index: the atom of `atoms` that is replaced, in one of the cells.
        symbol: of the foreign atom in its place; None leaves a vacancy.

    The supercell has multiples of the cell's vectors that make its edges about equally long.
    Raises DataError if there is no such atom, or the foreign atom is of the same species.
    """
    if not 0 <= index < len(atoms):
        raise DataError(f"{describe(atoms)} has no atom {index}")
    if atoms.symbols[index] == symbol:
        raise DataError(f"atom {index} of {describe(atoms)} is {symbol} already")
    multiples = np.ones(3, dtype=int)
    while len(atoms) * multiples.prod() < min_atoms:
        multiples[(multiples * atoms.cell.lengths()).argmin()] += 1
    supercell = make_supercell(bare(atoms), np.diag(multiples), order="atom-major")
    position = index * multiples.prod()
    if symbol is None:
        del supercell[position]
    else:
        supercell.symbols[position] = symbol
    return supercell
