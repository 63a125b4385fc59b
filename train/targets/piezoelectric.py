"""Piezoelectric stress tensors e_ijk = d sigma_jk / d E_i, as 3 x 6 Voigt arrays in C/m^2.

They are checked and kept; no quantity is made of them yet.
"""

from dataclasses import replace

import numpy as np

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.tensors.notation import VOIGT_PAIRS, mandel_rotation
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets.base import DataSet

NAME = "piezoelectric_tensor"
PIEZOELECTRIC_FRAME = 0.10  # relative part of a tensor that may break the point group
PIEZOELECTRIC_NOISE = 0.02  # C/m^2; a smaller deviation is noise, whatever its relative size

_SCALE = np.array([1.0 if i == j else 2**0.5 for i, j in VOIGT_PAIRS])


def project_piezoelectric(tensor: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Average of e (3, 6) over the orthogonal matrices of a point group (G, 3, 3)."""
    return rotate_piezoelectric(tensor, group).mean(axis=0)


def rotate_piezoelectric(tensor: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """e (3, 6) of the crystal rotated by the orthogonal R (..., 3, 3)."""
    turned = rotation @ (tensor * _SCALE) @ np.swapaxes(mandel_rotation(rotation), -1, -2)
    return turned / _SCALE


def frobenius(tensor: np.ndarray) -> float:
    """Norm of the full e_ijk of the Voigt array (3, 6)."""
    return float(np.linalg.norm(tensor * _SCALE))


def _curate(record: Record) -> Record | Rejection:
    raw = np.asarray(record.targets[NAME])
    projected = project_piezoelectric(raw, analyse(record.atoms).rotations)
    broken, size = frobenius(projected - raw), frobenius(raw)
    deviation = broken / size if size else 0.0
    if deviation > PIEZOELECTRIC_FRAME and broken > PIEZOELECTRIC_NOISE:
        return record.rejected(f"wrong frame: {deviation:.0%} of the tensor breaks the point group")
    return replace(record, targets={NAME: projected}, frame_deviation=deviation)


PIEZOELECTRIC = DataSet("piezoelectric", {NAME: (3, 6)}, _curate)
