"""Voigt, Mandel and Cartesian forms of rank-2 and elastic tensors, and their rotations.

Index order is ASE's: xx, yy, zz, yz, xz, xy. Voigt stiffness has no factors (C_ijkl itself),
Voigt compliance has 2 and 4 (engineering shear). In the Mandel form (J. Mandel, 1965) shear
entries carry sqrt(2) each, so that double contraction becomes the matrix product, the Frobenius
norm of the 6x6 matrix is that of the rank-4 tensor, and a rotation acts as an orthogonal 6x6
matrix. Results have the unit and the Cartesian frame of the arguments. Arrays may have leading
batch axes; functions marked (torch) also take torch tensors.
"""

from collections.abc import Callable

import numpy as np
from ase.units import GPa

GPA = GPa  # eV/Å^3 per GPa

VOIGT_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_ROW, _COL = np.array(VOIGT_PAIRS).T
_INDEX = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])  # Cartesian pair -> Voigt index
_SCALE = np.array([1.0, 1.0, 1.0, 2**0.5, 2**0.5, 2**0.5])
_MANDEL = np.outer(_SCALE, _SCALE)

# Orthonormal symmetric matrices M_I with strain = sum_I (Mandel component I) M_I; (6, 3, 3).
MANDEL_MATRICES = np.zeros((6, 3, 3))
for _i, (_a, _b) in enumerate(VOIGT_PAIRS):
    MANDEL_MATRICES[_i, _a, _b] = MANDEL_MATRICES[_i, _b, _a] = 1.0 / _SCALE[_i]
_MANDEL_ROWS = MANDEL_MATRICES.reshape(6, 9)


def voigt_to_cartesian(stiffness: np.ndarray) -> np.ndarray:
    """Stiffness (..., 6, 6) in Voigt order to C_ijkl (..., 3, 3, 3, 3)."""
    return np.asarray(stiffness)[..., _INDEX[:, :, None, None], _INDEX[None, None, :, :]]


def cartesian_to_voigt(stiffness: np.ndarray) -> np.ndarray:
    """C_ijkl (..., 3, 3, 3, 3) to Voigt (..., 6, 6), averaged over minor and major symmetries."""
    c = np.asarray(stiffness)
    c = (c + np.swapaxes(c, -4, -3)) / 2
    c = (c + np.swapaxes(c, -2, -1)) / 2
    voigt = c[..., _ROW[:, None], _COL[:, None], _ROW[None, :], _COL[None, :]]
    return (voigt + np.swapaxes(voigt, -1, -2)) / 2


def voigt_to_mandel(stiffness):
    """Stiffness (..., 6, 6) from Voigt to Mandel (torch)."""
    return stiffness * _like(_MANDEL, stiffness)


def mandel_to_voigt(stiffness):
    """Stiffness (..., 6, 6) from Mandel to Voigt (torch)."""
    return stiffness / _like(_MANDEL, stiffness)


def compliance_voigt_to_mandel(compliance):
    """Compliance (..., 6, 6) from Voigt (engineering shear strain) to Mandel (torch)."""
    return compliance / _like(_MANDEL, compliance)


def compliance_mandel_to_voigt(compliance):
    """Compliance (..., 6, 6) from Mandel to Voigt (engineering shear strain) (torch)."""
    return compliance * _like(_MANDEL, compliance)


def voigt_columns_to_mandel(tensor):
    """Arrays (..., 6), whose last index is a strain or stress without factors, as the columns of
    piezoelectric stress constants e_iJ, from Voigt to Mandel (torch)."""
    return tensor * _like(_SCALE, tensor)


def voigt_columns_to_cartesian(tensor: np.ndarray) -> np.ndarray:
    """e_iJ (..., 3, 6) in Voigt order to e_ijk (..., 3, 3, 3)."""
    return np.asarray(tensor, dtype=float)[..., _INDEX]


def mandel_columns_to_voigt(tensor):
    """The inverse of `voigt_columns_to_mandel` (torch)."""
    return tensor / _like(_SCALE, tensor)


def mandel_rotation(rotation: np.ndarray) -> np.ndarray:
    """Orthogonal (..., 6, 6) matrix by which R (..., 3, 3), proper or not, acts on Mandel vectors.

    Q_IJ = M_I : (R M_J R^T), with the orthonormal matrices M of the Mandel basis.
    """
    rotation = np.asarray(rotation)
    pairs = rotation[..., :, None, :, None] * rotation[..., None, :, None, :]
    return _MANDEL_ROWS @ pairs.reshape(*rotation.shape[:-2], 9, 9) @ _MANDEL_ROWS.T


def rotate_rank2(tensor: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """R T R^T (..., d, d) for T (..., d, d) and orthogonal R (..., d, d)."""
    return rotation @ tensor @ np.swapaxes(rotation, -1, -2)


def rotate_stiffness(stiffness: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Voigt stiffness (..., 6, 6) of the crystal rotated by the orthogonal R (..., 3, 3)."""
    q = mandel_rotation(rotation)
    return mandel_to_voigt(q @ voigt_to_mandel(np.asarray(stiffness)) @ np.swapaxes(q, -1, -2))


def project_rank2(tensor: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Average (3, 3) of T (3, 3) over the orthogonal matrices (G, 3, 3) of a point group."""
    return rotate_rank2(tensor, group).mean(axis=0)


def project_stiffness(stiffness: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Average (6, 6) of a Voigt stiffness (6, 6) over the matrices (G, 3, 3) of a point group.

    An average of rotated positive definite matrices stays positive definite.
    """
    return rotate_stiffness(stiffness, group).mean(axis=0)


def _like(constant: np.ndarray, array):
    """`constant` as the kind of array (numpy or torch, dtype, device) that `array` is."""
    if hasattr(array, "new_tensor"):
        return array.new_tensor(constant)
    return constant


def of_symmetric(function: Callable[[np.ndarray], np.ndarray], matrices: np.ndarray) -> np.ndarray:
    """A function of eigenvalues, such as np.log, of symmetric matrices (..., n, n)."""
    values, vectors = np.linalg.eigh(matrices)
    return (vectors * function(values)[..., None, :]) @ vectors.swapaxes(-2, -1)
