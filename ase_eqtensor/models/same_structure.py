"""Are two crystals the same structure, and which rotation takes one to the other?

Two phases of a substance may differ by a few hundredths of an Å, as cubic and tetragonal BaTiO3 do,
and their tensors by orders of magnitude: the space group must agree, and tolerances are tight. They
leave room for what functionals and temperatures do to the lattice of one phase.

What any cell of a crystal tells (atoms, volume, lengths of the shortest vectors) is compared first,
so that pymatgen's search, whose cost grows with the shape of a cell, sees reduced cells of alike
shape only. pymatgen and scipy are imported where they are needed: a prediction needs neither.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ..crystal.lattice import compact, reduced_cell
from ..crystal.symmetry import DEFAULT_SYMPREC, analyse, primitive

MAX_VOLUME_CHANGE = 0.08  # lattice constants of one phase differ by up to 2 % between functionals
LENGTH_TOLERANCE = 0.05  # of cell vectors, as a share, after scaling to the same volume
ANGLE_TOLERANCE = 3.0  # degrees
SITE_TOLERANCE = 0.1  # root mean square displacement over the cube root of the volume per atom

# Space groups that are mirror images of each other: the same crystal but for its hand, which no
# tensor of even rank knows.
_MIRROR_IMAGE = {
    78: 76, 95: 91, 96: 92, 145: 144, 153: 151, 154: 152, 170: 169, 172: 171, 179: 178, 181: 180,
    213: 212,
}  # fmt: skip


@dataclass(frozen=True)
class ReducedCrystal:
    """A crystal by its reduced primitive cell.

    atoms: species, positions and cell, in the frame of the crystal.
    space_group: its number, 0 if unknown; one number for both of an enantiomorphic pair.
    """

    atoms: Atoms
    space_group: int

    @classmethod
    def of(cls, atoms: Atoms, symprec: float = DEFAULT_SYMPREC) -> "ReducedCrystal":
        """That of a crystal in any cell, its symmetry searched within `symprec` (Å).

        Raises StructureError for a cell too skewed to be reduced."""
        atoms = compact(atoms)
        symmetry = analyse(atoms, symprec)
        cell = primitive(atoms, symmetry)
        bare = Atoms(cell.numbers, cell.positions, cell=reduced_cell(cell.cell), pbc=True)
        number = symmetry.space_group
        return cls(bare, _MIRROR_IMAGE.get(number, number))

    @property
    def shape(self) -> np.ndarray:
        """Lengths (3,) of the shortest lattice vectors, ascending, in a cell of volume 1."""
        return np.sort(self.atoms.cell.lengths()) / self.atoms.get_volume() ** (1 / 3)


class Match(NamedTuple):
    """How two crystals correspond.

    rotation: orthogonal matrix Q (3, 3), x' = Q x, from the frame of the first to that of the
        second.
    distance: strain of the cell (Frobenius norm) plus displacement of the sites (root mean square
        over the cube root of the volume per atom).
    """

    rotation: np.ndarray
    distance: float


def matched(first: ReducedCrystal, second: ReducedCrystal) -> Match | None:
    """How the first crystal turns into the second; None if they are not the same structure."""
    if not _alike(first, second):
        return None
    from pymatgen.core import Lattice, Structure
    from pymatgen.core.structure_matcher import StructureMatcher
    from scipy.linalg import polar

    source, target = (
        Structure(Lattice(c.cell[:]), c.numbers, c.positions, coords_are_cartesian=True)
        for c in (first.atoms, second.atoms)
    )
    # Tightest first: of axes that differ by 1 % none may be taken for another.
    for share in (0.05, 0.2, 1.0):
        matcher = StructureMatcher(
            LENGTH_TOLERANCE * share, SITE_TOLERANCE, ANGLE_TOLERANCE * share, primitive_cell=False
        )
        transformation = matcher.get_transformation(target, source)
        displacement = matcher.get_rms_dist(target, source)
        if transformation is not None and displacement is not None:
            # the lattice vectors of the source that correspond to those of the target
            lattice = transformation[0] @ source.lattice.matrix
            turn, stretch = polar(np.linalg.solve(lattice, target.lattice.matrix))
            strain = np.linalg.norm(stretch - np.eye(3))
            return Match(turn.T, float(strain + displacement[0]))
    return None


def _alike(first: ReducedCrystal, second: ReducedCrystal) -> bool:
    """Whether the crystals agree in all that needs no search."""
    return (
        first.space_group == second.space_group
        and np.array_equal(np.sort(first.atoms.numbers), np.sort(second.atoms.numbers))
        and abs(first.atoms.get_volume() / second.atoms.get_volume() - 1) < MAX_VOLUME_CHANGE
        and bool((abs(first.shape / second.shape - 1) < LENGTH_TOLERANCE).all())
    )
