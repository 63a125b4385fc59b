"""The fixed folds: results compare only on these.

The fold of a crystal follows from its reduced formula alone, so a composition that is tested in
one task is never trained on in another, whatever the data set it came from.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

N_FOLDS = 5


class Split(NamedTuple):
    """Training, validation and test rows of one run."""

    train: list
    val: list
    test: list


def fold_of(reduced_formula: str) -> int:
    """The run (0..4) that tests this composition; `reduced_formula` is pymatgen's."""
    return _hash(reduced_formula) % N_FOLDS


def in_val(reduced_formula: str) -> bool:
    """Whether the composition is validated on in the runs that do not test it (one in ten)."""
    return part_of(reduced_formula, 10) == 0


def part_of(reduced_formula: str, parts: int) -> int:
    """The part (0 ... parts - 1) of a composition, independent of its fold."""
    return _hash(reduced_formula) // N_FOLDS % parts


def split(rows: Iterable, fold: int) -> Split:
    """Split rows with `fold`, `in_val` and `quarantine` into train, val and test of run `fold`.

    Quarantined rows are left out of train; val and test always have every row. Raises ValueError
    if `fold` is not in 0..4.
    """
    if fold not in range(N_FOLDS):
        raise ValueError(f"fold {fold!r} does not exist: choose one of 0..{N_FOLDS - 1}")
    parts = Split([], [], [])
    for row in rows:
        if row.fold == fold:
            parts.test.append(row)
        elif row.in_val:
            parts.val.append(row)
        elif not row.quarantine:
            parts.train.append(row)
    return parts


def _hash(reduced_formula: str) -> int:
    return int(sha256(reduced_formula.encode()).hexdigest(), 16)
