"""Elastic moduli, permittivity and piezoelectricity as functions of direction (numpy).

With S_ijkl the elastic compliance and n a unit vector: Young's modulus and linear compressibility
after J. F. Nye, Physical Properties of Crystals (Oxford, 1985), ch. VIII; the shear modulus for
the plane with normal n and the shear direction m perpendicular to it, its extremes over m taken as
surfaces, after R. Gaillac, P. Pullumbi and F.-X. Coudert, J. Phys.: Condens. Matter 28, 275201
(2016) (ELATE).

Directions are (..., 3) arrays of Cartesian vectors of any length but zero, in the frame of the
tensor; results are (...) float64. A direction without length raises ValueError.
"""

from itertools import product

import numpy as np

from .notation import (
    compliance_voigt_to_mandel,
    mandel_to_voigt,
    voigt_columns_to_cartesian,
    voigt_to_cartesian,
)

# Where the search for the greatest value of a cubic form begins, and its steps.
_START = np.array([v for v in product((-1, 0, 1), repeat=3) if any(v)]) + (0.05, 0.11, 0.17)
CLIMB = 200


def compliance_cartesian(stiffness: np.ndarray) -> np.ndarray:
    """S_ijkl (3, 3, 3, 3), the inverse of a Voigt stiffness (6, 6), in its frame and inverse unit.

    Voigt order xx yy zz yz xz xy. Raises numpy.linalg.LinAlgError for a singular stiffness.
    """
    compliance = np.linalg.inv(np.asarray(stiffness, dtype=float))
    return voigt_to_cartesian(mandel_to_voigt(compliance_voigt_to_mandel(compliance)))


def youngs_modulus(stiffness: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Stress over strain along n under uniaxial stress: 1 / (n_i n_j n_k n_l S_ijkl).

    Args:
        stiffness: (6, 6), Voigt order xx yy zz yz xz xy; the result has its unit.
        directions: (..., 3).
    """
    n = unit_vectors(directions)
    return 1 / np.einsum(
        "...i,...j,...k,...l,ijkl", n, n, n, n, compliance_cartesian(stiffness), optimize=True
    )


def linear_compressibility(stiffness: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Shortening of a line along n per unit of hydrostatic pressure: n_i n_j S_ijkk.

    Negative where the crystal stretches under pressure.

    Args:
        stiffness: (6, 6), Voigt order xx yy zz yz xz xy; the result has the inverse of its unit.
        directions: (..., 3).
    """
    n = unit_vectors(directions)
    return _quadratic_form(np.einsum("ijkk", compliance_cartesian(stiffness)), n)


def shear_modulus(stiffness: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(least, greatest) shear modulus of the plane with normal n over all shear directions m in it.

    1 / G(n, m) = 4 n_i m_j n_k m_l S_ijkl is a quadratic form in m, so its extremes over unit
    vectors m perpendicular to n are the eigenvalues of the 2x2 matrix of 4 n_i n_k S_ijkl in that
    plane.

    Args:
        stiffness: (6, 6), Voigt order xx yy zz yz xz xy; the results have its unit.
        directions: (..., 3), normals of the planes.
    """
    n = unit_vectors(directions)
    contracted = 4 * np.einsum("...i,...k,ijkl->...jl", n, n, compliance_cartesian(stiffness))
    plane = _perpendicular(n)
    inverse = np.linalg.eigvalsh(plane @ contracted @ np.swapaxes(plane, -1, -2))
    return 1 / inverse[..., 1], 1 / inverse[..., 0]


def permittivity_along(permittivity: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Relative permittivity n_i n_j eps_ij along n: the component along n of the displacement D in
    a field E parallel to n, over eps_0 E (Nye, ch. IV).

    Args:
        permittivity: (3, 3), relative, symmetric.
        directions: (..., 3).
    """
    return _quadratic_form(np.asarray(permittivity, dtype=float), unit_vectors(directions))


def longitudinal_piezoelectric(tensor: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Polarisation along n by a unit strain along n: e_ijk n_i n_j n_k (Nye, ch. VII).

    Args:
        tensor: e (..., 3, 6), Voigt order xx yy zz yz xz xy, no factors; the result (..., *D) has
            its unit.
        directions: (*D, 3).
    """
    n = unit_vectors(directions)
    form = voigt_columns_to_cartesian(tensor)
    values = np.einsum("...ijk,ni,nj,nk->...n", form, *[n.reshape(-1, 3)] * 3, optimize=True)
    return values.reshape((*form.shape[:-3], *n.shape[:-1]))


def greatest_longitudinal(tensors: np.ndarray) -> np.ndarray:
    """Greatest `longitudinal_piezoelectric` (B,) over all directions, of e (B, 3, 6).

    From many directions uphill by n <- S n n + a n, normalised, with S the symmetric part of e_ijk:
    with a large enough the cubic form never falls (T. G. Kolda, J. R. Mayo, SIAM J. Matrix Anal.
    Appl. 32, 1095 (2011)).
    """
    greatest = np.zeros(len(tensors))
    there = np.flatnonzero(np.any(tensors, axis=(1, 2)))  # most crystals have none by symmetry
    form = voigt_columns_to_cartesian(tensors[there])
    form = (form + np.moveaxis(form, 1, 2) + np.moveaxis(form, 1, 3)).reshape(-1, 3, 9) / 3
    shift = 2 * np.linalg.norm(form, axis=(1, 2))[:, None, None]
    n = np.broadcast_to(unit_vectors(_START), (len(form), *_START.shape))

    def contracted(n: np.ndarray) -> np.ndarray:
        squares = (n[..., :, None] * n[..., None, :]).reshape(*n.shape[:-1], 9)
        return squares @ form.swapaxes(1, 2)

    for _ in range(CLIMB):
        uphill = contracted(n) + shift * n
        n = uphill / np.maximum(np.linalg.norm(uphill, axis=-1, keepdims=True), 1e-300)
    greatest[there] = (contracted(n) * n).sum(axis=-1).max(axis=1)
    return greatest


def greatest_strain_by_field(piezoelectric: np.ndarray, compliance: np.ndarray) -> np.ndarray:
    """Greatest d_ijk n_i n_j n_k (B,) over all directions of d = e S, at constant stress.

    Args:
        piezoelectric: e (B, 3, 6), Voigt order xx yy zz yz xz xy, no factors.
        compliance: (B, 6, 6), engineering shear. The result has the product of the units.
    """
    engineering = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])  # shear of d_iJ in d_ijk
    return greatest_longitudinal(piezoelectric @ compliance / engineering)


def _quadratic_form(matrix: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.einsum("...i,ij,...j", n, matrix, n)


def unit_vectors(directions: np.ndarray) -> np.ndarray:
    """Directions (..., 3) divided by their length. Raises ValueError for one without length."""
    directions = np.asarray(directions, dtype=float)
    length = np.linalg.norm(directions, axis=-1, keepdims=True)
    if not (length > 0).all():
        raise ValueError("a direction of length zero (or NaN) points nowhere")
    return directions / length


def _perpendicular(n: np.ndarray) -> np.ndarray:
    """Two orthonormal vectors (..., 2, 3) perpendicular to the unit vectors n (..., 3)."""
    axis = np.eye(3)[np.abs(n).argmin(axis=-1)]  # the one farthest from n
    first = np.cross(n, axis)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(n, first)], axis=-2)
