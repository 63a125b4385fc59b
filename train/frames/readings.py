"""The tensors that a row may stand for: one for each frame that fits the point group."""

from typing import NamedTuple

import numpy as np
from ase import Atoms
from scipy.spatial.transform import Rotation

from ase_eqtensor.analysis import ieee_rotation
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.train.targets.piezoelectric import FRAME, NOISE

# point groups with one axis of order three or six, about which other frames may be turned
AXIAL = {"3", "32", "3m", "6", "-6", "622", "6mm", "-6m2"}
LOWEST = "1"  # of which nothing is invariant, so that nothing can be excluded


class Reading(NamedTuple):
    """One way to read a tensor.

    rotation: (3, 3), proper, which takes the tensor as written to the frame of its structure.
    tensor: (3, 6), Mandel columns, in that frame, averaged over the point group; the unit of the
        written one.
    """

    rotation: np.ndarray
    tensor: np.ndarray


def readings(atoms: Atoms, written: np.ndarray) -> list[Reading]:
    """The different tensors that one written down (3, 6; Voigt, e/Å^2) may stand for, likeliest
    frame first: that of the IEEE standard, that of `atoms`, then these with other axes.

    Empty if it obeys the point group in no such frame.
    """
    form = PIEZOELECTRIC.form
    symmetry = analyse(atoms)
    given = PIEZOELECTRIC.from_ase(written)
    size = float(np.linalg.norm(given))
    found: list[Reading] = []
    for rotation in _frames(atoms, symmetry.point_group):
        turned = form.rotate(given, rotation)
        average = form.group_averages(turned[None], [symmetry.rotations])[0]
        if np.linalg.norm(average - turned) > max(FRAME * size, NOISE):
            continue
        if all(np.linalg.norm(average - other.tensor) > FRAME * size for other in found):
            found.append(Reading(rotation, average))
    return found


def _frames(atoms: Atoms, point_group: str) -> list[np.ndarray]:
    """Rotations (3, 3) from frames in which a tensor may be written to that of the atoms."""
    bases = [ieee_rotation(atoms).T, np.eye(3)]
    if point_group == LOWEST:
        return bases
    turns = [*CUBE, *HEXAGON] if point_group in AXIAL else CUBE
    return bases + [base @ turn for base in bases for turn in turns]


def _group(symbol: str) -> list[np.ndarray]:
    """The rotations of a point group by Schoenflies, those that change least first."""
    return sorted(Rotation.create_group(symbol).as_matrix(), key=np.trace, reverse=True)


CUBE, HEXAGON = _group("O"), _group("D12")
