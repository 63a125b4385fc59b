"""Which entries of a tensor vanish or hang together by symmetry, whatever their values.

Every entry of a tensor averaged over the point group is a linear function of the 6 or 21 numbers
that a tensor without symmetry has. Entries with the same function are equal in every crystal of
that group in that orientation, those with the zero function vanish; nothing is read off the
predicted numbers, which may agree by accident.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement, permutations

import numpy as np

from ..tensors.notation import rotate_rank2, rotate_stiffness

TOLERANCE = 1e-6  # of coefficients of order 1
_RATIOS = {1.0: "", -1.0: "−", 2.0: "2", -2.0: "−2", 0.5: "½", -0.5: "−½"}
_ENGINEERING = np.outer([1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2])  # Voigt compliance over S_ijkl


@dataclass(frozen=True)
class Pattern:
    """Symmetry of a (n, n) matrix, n = 3 or 6 (Voigt order), in one frame.

    zero: (n, n) bool.
    group: (n, n) int, the same number for entries that are multiples of each other and lie in
        different places of the upper triangle, -1 for all others.
    equal: how the entries of each group hang together, such as "C16 = −C26".
    differences: further relations of the kind "C66 = ½(C11 − C12)".
    independent: number of independent entries.
    """

    zero: np.ndarray
    group: np.ndarray
    equal: tuple[str, ...]
    differences: tuple[str, ...]
    independent: int


def tensor_pattern(symbol: str, rotations: np.ndarray) -> Pattern:
    """The pattern of a stiffness "C", a compliance "S" (engineering shear) or a permittivity "ε".

    Args:
        symbol: which of the three, and how relations call it.
        rotations: (G, 3, 3) Cartesian point group.
    """
    rows = _functions(symbol, rotations)
    n = len(rows)
    places = list(combinations_with_replacement(range(n), 2))
    zero = np.abs(rows).max(axis=-1) < TOLERANCE
    members: list[list[tuple[tuple[int, int], float]]] = []
    for place in (p for p in places if not zero[p]):
        for group in members:
            if (ratio := _ratio(rows[place], rows[group[0][0]])) is not None:
                group.append((place, ratio))
                break
        else:
            members.append([(place, 1.0)])
    numbers = np.full((n, n), -1)
    equal = []
    for group in (g for g in members if len(g) > 1):
        index = len(equal)
        for (i, j), _ in group:
            numbers[i, j] = numbers[j, i] = index
        equal.append(" = ".join(_term(symbol, p, 1 / r) for p, r in group))
    differences = _differences(symbol, rows, [group[0][0] for group in members])
    independent = np.linalg.matrix_rank(np.array([rows[p] for p in places]), tol=TOLERANCE)
    return Pattern(zero, numbers, tuple(equal), tuple(differences), int(independent))


def _functions(symbol: str, rotations: np.ndarray) -> np.ndarray:
    """(n, n, m): coefficients of each entry in the m numbers of a tensor without symmetry."""
    n = 3 if symbol == "ε" else 6
    basis = np.zeros((n * (n + 1) // 2, n, n))
    for k, (i, j) in enumerate(combinations_with_replacement(range(n), 2)):
        basis[k, i, j] = basis[k, j, i] = 1
    rotate = rotate_rank2 if n == 3 else rotate_stiffness
    averaged = rotate(basis[:, None], rotations).mean(axis=1)
    return np.moveaxis(averaged * _ENGINEERING if symbol == "S" else averaged, 0, -1)


def _ratio(row: np.ndarray, first: np.ndarray) -> float | None:
    for ratio in _RATIOS:
        if np.abs(row - ratio * first).max() < TOLERANCE:
            return ratio
    return None


def _differences(symbol: str, rows: np.ndarray, firsts: list[tuple[int, int]]) -> list[str]:
    """Relations c = f (a - b) among entries of different groups, as hexagonal crystals have."""
    factor, shown = {"C": (0.5, "½"), "S": (2.0, "2"), "ε": (1.0, "")}[symbol]
    found = []
    for c in firsts:
        others = (p for p in firsts if p != c)
        for a, b in permutations(others, 2):
            if a[0] == a[1] and np.abs(rows[c] - factor * (rows[a] - rows[b])).max() < TOLERANCE:
                names = (_name(symbol, place) for place in (c, a, b))
                found.append("{} = {}({} − {})".format(next(names), shown, *names))
                break
    return found


def _name(symbol: str, place: tuple[int, int]) -> str:
    return f"{symbol}{place[0] + 1}{place[1] + 1}"


def _term(symbol: str, place: tuple[int, int], factor: float) -> str:
    return _RATIOS[factor] + _name(symbol, place)
