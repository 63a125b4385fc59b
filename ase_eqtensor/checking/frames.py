"""Cartesian frames in which a tensor of a crystal may be written.

A frame is an orthogonal matrix R (3, 3): a vector v of the frame of the atoms reads R v in it.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import spglib
from ase import Atoms

from ..analysis import ieee_rotation
from ..crystal.symmetry import CrystalSymmetry

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

IEEE = "the IEEE axes"
GIVEN, CONVENTIONAL = "cell", "standard conventional cell"
PRIMITIVE, NIGGLI = "standard primitive cell", "Niggli cell"
# How a cell is built from lengths and angles: the axis along a Cartesian one, and the axis that
# spans a Cartesian plane with it.
ASE, PYMATGEN, THIRD = "a || x, b in xy", "c || z, a in xz", "c || z, b in yz"
BUILDS = {ASE: ((0, 0), (1, 1)), PYMATGEN: ((2, 2), (0, 0)), THIRD: ((2, 2), (1, 1))}


class Frame(NamedTuple):
    """name: "the standard conventional cell with a || x, b in xy". matrix: R (3, 3)."""

    name: str
    matrix: np.ndarray


def named_frames(atoms: Atoms, symmetry: CrystalSymmetry, symprec: float) -> list[Frame]:
    """Frames that have a name: IEEE Standard 176-1987, and those of cells built from lengths and
    angles, as CIF readers do. Where the symmetry is unknown only those of the given cell."""
    frames = [Frame(IEEE, ieee_rotation(atoms))] if symmetry.known else []
    for cell_name, cell in cells(atoms, symmetry, symprec):
        for build, axes in BUILDS.items():
            frames.append(Frame(f"the {cell_name} with {build}", built(cell, *axes)))
    return frames


def turned_axes(frames: list[Frame], symmetry: CrystalSymmetry) -> list[Frame]:
    """Axes exchanged or turned in the frame of the conventional cell or of the IEEE standard: by
    the rotations of the cube, and of a twelve-fold axis where the crystal has a three-fold one.
    What symmetry alone cannot exclude, the normaliser of the point group, is among them."""
    if not symmetry.known:
        return []
    starts = [frame for frame in frames if frame.name == IEEE or CONVENTIONAL in frame.name][:2]
    axial = symmetry.crystal_system in ("trigonal", "hexagonal")
    turns = [*_turns("O"), *(_turns("D12") if axial else [])]
    both = []
    for start in starts:
        for told, turn in turns:
            same = start.matrix.T @ turn @ start.matrix  # the atoms' frame with other axes
            both.append(Frame(f"the structure turned by {told} in that of {start.name}", same))
            both.append(Frame(f"{start.name} turned by {told}", turn @ start.matrix))
    return both


def cells(
    atoms: Atoms, symmetry: CrystalSymmetry, symprec: float
) -> Iterator[tuple[str, np.ndarray]]:
    """Names and bases (3, 3; rows, right-handed where the crystal's is) in the frame of the
    atoms."""
    yield GIVEN, np.array(atoms.cell)
    if not symmetry.known:
        return
    crystal: Any = (np.array(atoms.cell), atoms.get_scaled_positions(), atoms.numbers)
    for name, primitive in ((CONVENTIONAL, False), (PRIMITIVE, True)):
        found = spglib.standardize_cell(crystal, primitive, no_idealize=True, symprec=symprec)
        if found is not None:
            yield name, np.array(found[0])
    if (reduced := spglib.niggli_reduce(symmetry.primitive_cell)) is not None:
        yield NIGGLI, reduced


def built(cell: np.ndarray, first: tuple[int, int], second: tuple[int, int]) -> np.ndarray:
    """R (3, 3) that takes vector number i of a cell to the Cartesian axis number k of `first`, and
    that of `second` into the plane of both axes."""
    (i, k), (j, m) = first, second
    along = cell[i] / np.linalg.norm(cell[i])
    across = cell[j] - (cell[j] @ along) * along
    across /= np.linalg.norm(across)
    matrix = np.zeros((3, 3))
    matrix[k], matrix[m] = along, across
    n = 3 - k - m
    third = np.cross(along, across)
    matrix[n] = third * np.sign(np.linalg.det(matrix + np.outer(np.eye(3)[n], third)))
    return matrix


@cache
def _turns(symbol: str) -> list[tuple[str, np.ndarray]]:
    """The rotations of a point group by Schoenflies but the identity, with what they are called."""
    from scipy.spatial.transform import Rotation  # slow to import

    turns = Rotation.create_group(symbol)
    return [(_told(turn), turn.as_matrix()) for turn in turns if turn.magnitude() > 1e-6]


def _told(turn: "Rotation") -> str:
    vector = turn.as_rotvec(degrees=True)
    axis = vector / np.abs(vector).max()
    told = " ".join(f"{x:.3g}" for x in axis.round(6) + 0.0)
    return f"{np.linalg.norm(vector):.0f} degrees about [{told}]"
