"""Lattices without regard to the vectors that span them: reduced cells, and planes of a lattice."""

from functools import lru_cache

import numpy as np
from ase import Atoms
from ase.geometry import minkowski_reduce

from ..errors import StructureError

# Product of the lengths of cell vectors over the volume: at most 2 in a reduced cell, less than 30
# in the rhombohedral cells that layered crystals have.
MAX_DEFECT = 30

# Beyond this ratio of a cell vector to the cube root of the volume, coordinates in double precision
# no longer tell where atoms are.
MAX_ELONGATION = 1e6


def bare(atoms: Atoms) -> Atoms:
    """Positions, numbers and cell only, periodic in all directions."""
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)


def reduced_cell(cell: np.ndarray) -> np.ndarray:
    """The shortest vectors (3, 3), rows in Å, that span the lattice of `cell` (3, 3), in its frame
    and of its handedness.

    Raises StructureError for vectors so long that rounding hides the lattice.
    """
    return _reduced(np.array(cell, dtype=float).tobytes()).copy()


@lru_cache(maxsize=8)  # a crystal's cell is asked for several times on its way to a prediction
def _reduced(cell_bytes: bytes) -> np.ndarray:
    cell = np.frombuffer(cell_bytes).reshape(3, 3)
    longest, scale = np.linalg.norm(cell, axis=1).max(), abs(np.linalg.det(cell)) ** (1 / 3)
    if longest < MAX_ELONGATION * scale:
        try:
            return np.array(minkowski_reduce(cell)[0])
        except RuntimeError:  # it found no end
            pass
    raise StructureError(
        f"a cell with a vector of {longest:.3g} Å and a volume of {scale**3:.3g} Å^3 is too skewed "
        "to be computed with. Give the same lattice by its shortest vectors, as "
        "ase.build.tools.niggli_reduce finds them."
    )


def compact(atoms: Atoms) -> Atoms:
    """The same crystal in a reduced cell, where the cell of `atoms` is long and skewed; the atoms
    themselves where it is not. Positions and frame are kept.

    Neighbour lists and symmetry searches take time, memory and digits for the shape of a cell.

    Raises StructureError as `reduced_cell` does.
    """
    lengths = np.linalg.norm(atoms.cell, axis=1)
    if lengths.prod() < MAX_DEFECT * abs(np.linalg.det(atoms.cell)):
        return atoms
    reduced = atoms.copy()
    reduced.set_constraint()
    reduced.set_cell(reduced_cell(atoms.cell), scale_atoms=False)
    return reduced


def planes_wider_than(cell: np.ndarray, spacing: float) -> np.ndarray:
    """Reciprocal vectors (n, 3), in 1/Å without 2 pi, of the families of lattice planes that are
    more than `spacing` Å apart, widest first; one of each pair G, -G.

    `cell` (3, 3) is reduced, or the work grows with its shape.
    """
    # G.a = h for every lattice vector a, so |h| <= |G| |a|
    limits = np.floor(np.linalg.norm(cell, axis=1) / spacing).astype(int)
    hkl = np.indices(2 * limits + 1).reshape(3, -1).T - limits
    hkl = hkl[len(hkl) // 2 + 1 :]  # the second half has the opposites of the first
    vectors = hkl[np.gcd.reduce(hkl, axis=1) == 1] @ np.linalg.inv(cell).T
    lengths = np.linalg.norm(vectors, axis=1)
    order = np.argsort(lengths, kind="stable")
    return vectors[order[lengths[order] * spacing < 1]]
