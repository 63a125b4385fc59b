"""One description of a crystal for all that describe the same: cell vectors and order of atoms.

A symmetry search measures from the atom and the cell vectors that it is given first. With noise
near its tolerance it would find another group for another listing, origin or cell of one crystal.
"""

from itertools import product

import numpy as np
from matscipy.neighbours import neighbour_list

from .lattice import reduced_cell

REACH = 1.7  # of an atom's surroundings, times the cube root of the volume per atom
SAME_METRIC = 1e-4  # share of the metric's trace by which equal ones differ
TIE = 1e-6  # share by which equal intensities differ

# Every vector that may be one of another reduced cell, in terms of a reduced cell.
_SHORT = np.array([v for v in product((-1.0, 0.0, 1.0), repeat=3) if any(v)])
_NORMALS = np.cross(_SHORT[:, None], _SHORT)
# Reflections (5, 3) that tell axes and their signs apart, and their weights.
_REFLECTIONS = np.array([(1, 2, 3), (1, 1, 2), (3, 1, 2), (0, 1, 2), (1, 0, 3)])
_WEIGHTS = np.array([1.0, 0.83, 0.71, 0.59, 0.43])


def canonical(
    cell: np.ndarray, positions: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Basis and order that any cell, origin, orientation and listing of a crystal lead to; up to
    symmetry operations, and up to the number of primitive cells in a supercell.

    Cell vectors are the shortest ones, of these the closest to each other, of these the ones with
    the strongest reflections. Atoms are sorted by species and surroundings.

    Args:
        cell: (3, 3) vectors as rows, in Å.
        positions: (N, 3) fractional.
        numbers: (N,) atomic numbers.

    Returns:
        Integer matrix T (3, 3) of determinant 1 or -1, T @ cell being the right-handed canonical
        cell, and indices (N,) that sort the atoms.

    Raises StructureError for a cell too skewed to be reduced.
    """
    reduced = reduced_cell(cell)
    bases = _bases(reduced) @ np.rint(reduced @ np.linalg.inv(cell))
    intensity = _intensity(bases, positions, numbers)
    basis = bases[np.argmax(intensity > intensity.max() * (1 - TIE))]
    described = np.round((positions @ np.linalg.inv(basis) + TIE) % 1.0, 7)
    around = np.round(_surroundings(cell, positions, numbers), 7)
    return basis, np.lexsort((*described.T, around, numbers))


def _bases(reduced: np.ndarray) -> np.ndarray:
    """Integer matrices (n, 3, 3) that take a reduced cell (3, 3) to the right-handed reduced cells
    of one metric, the same for every reduced cell of the lattice."""
    metric = reduced @ reduced.T
    near = SAME_METRIC * np.trace(metric)
    dots = _SHORT @ metric @ _SHORT.T
    a, b, c = (
        np.flatnonzero(abs(np.diag(dots) - length) < near) for length in np.sort(np.diag(metric))
    )
    volume = _NORMALS[a][:, b] @ _SHORT[c].T
    a, b, c = (
        indices[chosen]
        for indices, chosen in zip(
            (a, b, c), np.nonzero(volume == np.sign(np.linalg.det(reduced))), strict=True
        )
    )
    closeness = np.stack([dots[a, b], dots[a, c], dots[b, c]])
    left = np.ones(len(a), dtype=bool)
    for measure in (closeness.sum(axis=0), *closeness):
        left &= measure > measure[left].max() - near
    return _SHORT[np.stack([a, b, c], axis=1)[left]]


def _intensity(bases: np.ndarray, positions: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Weighted sum (n,) of the intensities of a few reflections, as indexed in each of n bases;
    the origin does not matter."""
    indices = np.linalg.inv(bases) @ _REFLECTIONS.T  # (n, 3, 5), in the given basis
    phases = 2j * np.pi * np.einsum("ax,nxr->nra", positions, indices)
    return abs(np.exp(phases) @ numbers.astype(float)) ** 2 @ _WEIGHTS


def _surroundings(cell: np.ndarray, positions: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """A number (N,) for each atom that tells how other atoms surround it, whatever the frame."""
    reach = REACH * (abs(np.linalg.det(cell)) / len(numbers)) ** (1 / 3)
    first, second, distance = neighbour_list(
        "ijd", cutoff=reach, positions=positions @ cell, cell=cell, pbc=[True, True, True]
    )
    weight = (1 - (distance / reach) ** 2) ** 3 * (1 + numbers[second])
    return np.bincount(first, weight, minlength=len(numbers))
