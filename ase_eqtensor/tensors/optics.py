"""Crystal optics of a permittivity: indices, birefringence, optic axes, reflectivity.

After M. Born and E. Wolf, Principles of Optics, ch. 15 (indices n_x <= n_y <= n_z, roots of the
principal permittivities). All of it belongs to the frequency of the permittivity: that of the
electrons alone, light far below the band gap and above the lattice vibrations; without absorption,
magnetism or optical activity.

Permittivities are relative, real and symmetric, (..., 3, 3); vectors are Cartesian, in their frame.
"""

from typing import NamedTuple

import numpy as np

from .directional import unit_vectors

ISOTROPIC = 1e-6  # relative difference of two indices below which they are the same


class Optics(NamedTuple):
    """How a crystal refracts light.

    indices: (..., 3), principal refractive indices, ascending.
    axes: (..., 3, 3), rows: unit vectors of the principal axes, in the order of the indices.
    """

    indices: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, permittivity: np.ndarray) -> "Optics":
        """Of permittivities (..., 3, 3). Raises ValueError for one that is not positive definite:
        light does not pass through it."""
        values, vectors = np.linalg.eigh(np.asarray(permittivity, dtype=float))
        if not (values > 0).all():
            raise ValueError(f"a permittivity with the eigenvalue {values.min():.3g} has no index")
        return cls(np.sqrt(values), np.swapaxes(vectors, -1, -2))

    @property
    def birefringence(self) -> np.ndarray:
        """Greatest difference between the indices of the two waves along a direction (...)."""
        return self.indices[..., 2] - self.indices[..., 0]

    @property
    def optic_angle(self) -> np.ndarray:
        """V_z (...), degrees, of an optic axis with the axis of the greatest index: 0 in a uniaxial
        positive crystal, 90 in a uniaxial negative one; NaN in an isotropic one."""
        x, y, z = np.moveaxis(self.indices**-2.0, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            sine = np.sqrt(np.clip((x - y) / (x - z), 0, 1))
        return np.where(self._isotropic, np.nan, np.degrees(np.arcsin(sine)))

    @property
    def two_v(self) -> np.ndarray:
        """Acute angle 2V (...) between the optic axes, degrees; 0 of a uniaxial crystal, NaN of an
        isotropic one."""
        return 2 * np.minimum(self.optic_angle, 90 - self.optic_angle)

    @property
    def sign(self) -> np.ndarray:
        """Optic sign (...): +1 if the axis of the greatest index bisects the acute angle, -1 if
        that of the least does, 0 of an isotropic crystal."""
        signs = np.where(self.optic_angle < 45, 1, -1)
        return np.where(self._isotropic, 0, signs)

    @property
    def optic_axes(self) -> np.ndarray:
        """Unit vectors (..., 2, 3) along which light does not split; the same twice in a uniaxial
        crystal, NaN in an isotropic one."""
        angle = np.radians(self.optic_angle)[..., None]
        across, along = self.axes[..., 0, :], self.axes[..., 2, :]
        both = [np.cos(angle) * along + side * np.sin(angle) * across for side in (1, -1)]
        return np.stack(both, axis=-2)

    @property
    def reflectivity(self) -> np.ndarray:
        """Of a surface in vacuum at normal incidence, for light polarised along each principal axis
        (..., 3): ((n - 1) / (n + 1))^2."""
        return ((self.indices - 1) / (self.indices + 1)) ** 2

    @property
    def _isotropic(self) -> np.ndarray:
        return self.birefringence < ISOTROPIC * self.indices[..., 2]


def wave_indices(permittivity: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Refractive indices (..., N, 2), ascending, of the two waves along each direction.

    They are the half axes of the section of the index ellipsoid normal to the direction: the
    eigenvalues of eps^-1 in that plane are 1/n^2.

    Args:
        permittivity: (..., 3, 3).
        directions: (N, 3), of any length but zero.
    """
    n = unit_vectors(directions)
    across = np.eye(3) - n[:, :, None] * n[:, None, :]
    inverse = np.linalg.inv(np.asarray(permittivity, dtype=float))[..., None, :, :]
    section = np.linalg.eigvalsh(across @ inverse @ across)[..., 1:]
    return section[..., ::-1] ** -0.5
