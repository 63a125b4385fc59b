"""Which entries of a tensor vanish or hang together by symmetry, whatever their values.

Every entry of a tensor averaged over the point group is a linear function of the components that a
tensor without symmetry has. Entries with the same function are equal in every crystal of
that group in that orientation, those with the zero function vanish; nothing is read off the
predicted numbers, which may agree by accident.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement, permutations, product

import numpy as np

from ..quantities import Quantity

TOLERANCE = 1e-6  # of coefficients of order 1
_RATIOS = {1.0: "", -1.0: "−", 2.0: "2", -2.0: "−2", 0.5: "½", -0.5: "−½"}
_FACTORS = {0.5: "½", 2.0: "2", 1.0: ""}  # of differences, as C66 = ½(C11 − C12)


@dataclass(frozen=True)
class Pattern:
    """Symmetry of a matrix (n, m) of 3 or 6 (Voigt order) rows and columns, in one frame.

    zero: (n, m) bool.
    group: (n, m) int, the same number for entries that are multiples of each other and lie in
        different places (of a symmetric matrix, of its upper triangle), -1 for all others.
    equal: how the entries of each group hang together, such as "C16 = −C26".
    differences: further relations of the kind "C66 = ½(C11 − C12)".
    independent: number of independent entries.
    """

    zero: np.ndarray
    group: np.ndarray
    equal: tuple[str, ...]
    differences: tuple[str, ...]
    independent: int


def tensor_pattern(quantity: Quantity, rotations: np.ndarray) -> Pattern:
    """The pattern of the user's array (n, m) of a quantity, symmetric if it is square.

    Args:
        quantity: which relations call by its symbol.
        rotations: (G, 3, 3) Cartesian point group.
    """
    symbol, rows = quantity.display.symbol, _functions(quantity, rotations)
    n, m = rows.shape[:2]
    square = n == m
    every = combinations_with_replacement(range(n), 2) if square else product(range(n), range(m))
    places = list(every)
    zero = np.abs(rows).max(axis=-1) < TOLERANCE
    members: list[list[tuple[tuple[int, int], float]]] = []
    for place in (p for p in places if not zero[p]):
        for group in members:
            if (ratio := _ratio(rows[place], rows[group[0][0]])) is not None:
                group.append((place, ratio))
                break
        else:
            members.append([(place, 1.0)])
    numbers = np.full((n, m), -1)
    equal: list[str] = []
    for group in (g for g in members if len(g) > 1):
        index = len(equal)
        for (i, j), _ in group:
            numbers[i, j] = index
            if square:
                numbers[j, i] = index
        equal.append(" = ".join(_term(symbol, p, 1 / r) for p, r in group))
    differences = _differences(symbol, rows, [group[0][0] for group in members])
    independent = np.linalg.matrix_rank(np.array([rows[p] for p in places]), tol=TOLERANCE)
    return Pattern(zero, numbers, tuple(equal), tuple(differences), int(independent))


def _functions(quantity: Quantity, rotations: np.ndarray) -> np.ndarray:
    """(n, m, k): coefficients of each entry in the k components of a tensor without symmetry."""
    basis = quantity.form.basis().numpy()
    averaged = quantity.form.rotate(basis[:, None], rotations).mean(axis=1)
    return np.moveaxis(quantity.to_ase(averaged), 0, -1)


def _ratio(row: np.ndarray, first: np.ndarray) -> float | None:
    for ratio in _RATIOS:
        if np.abs(row - ratio * first).max() < TOLERANCE:
            return ratio
    return None


def _differences(symbol: str, rows: np.ndarray, firsts: list[tuple[int, int]]) -> list[str]:
    """Relations c = f (a - b) among entries of different groups, as hexagonal crystals have."""
    relations = []
    for c in firsts:
        pairs = permutations((p for p in firsts if p != c), 2)
        candidates = ((a, b, f) for a, b in pairs if a[0] == a[1] for f in _FACTORS)
        for a, b, factor in candidates:
            if np.abs(rows[c] - factor * (rows[a] - rows[b])).max() < TOLERANCE:
                left, first, second = (_name(symbol, place) for place in (c, a, b))
                relations.append(f"{left} = {_FACTORS[factor]}({first} − {second})")
                break
    return relations


def _name(symbol: str, place: tuple[int, int]) -> str:
    return f"{symbol}{place[0] + 1}{place[1] + 1}"


def _term(symbol: str, place: tuple[int, int], factor: float) -> str:
    return _RATIOS[factor] + _name(symbol, place)
