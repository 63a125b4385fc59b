"""Site-symmetry classes: the crystallographic point groups, told by the rotations in them."""

import numpy as np

# Number of rotations of each type in the crystallographic point groups, by International symbol.
_ROTATION_COUNTS = {
    # -6 -4 -3  m -1  1  2  3  4  6
    "1": (0, 0, 0, 0, 0, 1, 0, 0, 0, 0),
    "-1": (0, 0, 0, 0, 1, 1, 0, 0, 0, 0),
    "2": (0, 0, 0, 0, 0, 1, 1, 0, 0, 0),
    "m": (0, 0, 0, 1, 0, 1, 0, 0, 0, 0),
    "2/m": (0, 0, 0, 1, 1, 1, 1, 0, 0, 0),
    "222": (0, 0, 0, 0, 0, 1, 3, 0, 0, 0),
    "mm2": (0, 0, 0, 2, 0, 1, 1, 0, 0, 0),
    "mmm": (0, 0, 0, 3, 1, 1, 3, 0, 0, 0),
    "4": (0, 0, 0, 0, 0, 1, 1, 0, 2, 0),
    "-4": (0, 2, 0, 0, 0, 1, 1, 0, 0, 0),
    "4/m": (0, 2, 0, 1, 1, 1, 1, 0, 2, 0),
    "422": (0, 0, 0, 0, 0, 1, 5, 0, 2, 0),
    "4mm": (0, 0, 0, 4, 0, 1, 1, 0, 2, 0),
    "-42m": (0, 2, 0, 2, 0, 1, 3, 0, 0, 0),
    "4/mmm": (0, 2, 0, 5, 1, 1, 5, 0, 2, 0),
    "3": (0, 0, 0, 0, 0, 1, 0, 2, 0, 0),
    "-3": (0, 0, 2, 0, 1, 1, 0, 2, 0, 0),
    "32": (0, 0, 0, 0, 0, 1, 3, 2, 0, 0),
    "3m": (0, 0, 0, 3, 0, 1, 0, 2, 0, 0),
    "-3m": (0, 0, 2, 3, 1, 1, 3, 2, 0, 0),
    "6": (0, 0, 0, 0, 0, 1, 1, 2, 0, 2),
    "-6": (2, 0, 0, 1, 0, 1, 0, 2, 0, 0),
    "6/m": (2, 0, 2, 1, 1, 1, 1, 2, 0, 2),
    "622": (0, 0, 0, 0, 0, 1, 7, 2, 0, 2),
    "6mm": (0, 0, 0, 6, 0, 1, 1, 2, 0, 2),
    "-6m2": (2, 0, 0, 4, 0, 1, 3, 2, 0, 0),
    "6/mmm": (2, 0, 2, 7, 1, 1, 7, 2, 0, 2),
    "23": (0, 0, 0, 0, 0, 1, 3, 8, 0, 0),
    "m-3": (0, 0, 8, 3, 1, 1, 3, 8, 0, 0),
    "432": (0, 0, 0, 0, 0, 1, 9, 8, 6, 0),
    "-43m": (0, 6, 0, 6, 0, 1, 3, 8, 0, 0),
    "m-3m": (0, 6, 8, 9, 1, 1, 9, 8, 6, 0),
}
# Column of `_ROTATION_COUNTS` by determinant (-1, then +1) and trace (-3 ... 3).
_TYPE_COLUMN = np.full((2, 7), -1)
_TYPE_COLUMN[0, [1, 2, 3, 4, 0]] = 0, 1, 2, 3, 4
_TYPE_COLUMN[1, [6, 2, 3, 4, 5]] = 5, 6, 7, 8, 9

SITE_CLASSES: tuple[str, ...] = ("unknown", *_ROTATION_COUNTS)
_CLASS_OF_COUNTS = {counts: i for i, counts in enumerate(_ROTATION_COUNTS.values(), start=1)}


def rotation_types(rotations: np.ndarray) -> np.ndarray:
    """One-hot types (G, 10), columns as in the table, of rotations (G, 3, 3) in a lattice basis."""
    proper = (np.linalg.det(rotations) > 0).astype(int)
    trace = np.rint(np.trace(rotations, axis1=1, axis2=2)).astype(int)
    return np.eye(10, dtype=int)[_TYPE_COLUMN[proper, trace + 3]]


def class_index(type_counts: np.ndarray) -> np.ndarray:
    """Index into `SITE_CLASSES` (P,) of groups with `type_counts` (P, 10) rotations by type."""
    return np.array([_CLASS_OF_COUNTS.get(tuple(counts), 0) for counts in type_counts.tolist()])
