"""What a crystal is made of: its composition, and its formula as people write it."""

import warnings
from functools import lru_cache

import numpy as np
from ase import Atoms
from ase.symbols import Symbols


def composition(numbers: np.ndarray) -> tuple[tuple[int, int], ...]:
    """(atomic number, count in the formula unit) of each element, of atomic numbers (N,)."""
    species, counts = np.unique(numbers, return_counts=True)
    return tuple(zip(species.tolist(), (counts // np.gcd.reduce(counts)).tolist()))


def reduced_formula(atoms: Atoms) -> str:
    """pymatgen's reduced formula: the key of the folds, and the name of a crystal everywhere."""
    return _reduced(tuple(atoms.numbers.tolist()))


@lru_cache(maxsize=64)  # several messages may name a crystal
def _reduced(numbers: tuple[int, ...]) -> str:
    from pymatgen.core import Composition  # takes time, and most predictions need no formula

    counts = Symbols(numbers).formula.count()
    with warnings.catch_warnings():  # noble gases have no electronegativity to sort by
        warnings.filterwarnings("ignore", message="No Pauling electronegativity")
        return Composition(counts).reduced_formula
