"""Symmetry of piezoelectric stress tensors e_ijk = d sigma_jk / d E_i, as 3 x 6 Voigt arrays."""

import numpy as np

from ase_eqtensor.tensors.notation import VOIGT_PAIRS, mandel_rotation

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
