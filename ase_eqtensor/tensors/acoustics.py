"""Sound waves in crystals: the Christoffel equation, with and without piezoelectric stiffening.

A plane wave along n with displacement u obeys Gamma u = rho v^2 u with

    Gamma_il = n_j C_ijkl n_k + q_i q_l / (eps_0 n_j eps_jk n_k),    q_i = e_kij n_j n_k

(B. A. Auld, Acoustic Fields and Waves in Solids, 1973, ch. 7 and 8). The second term is of the
field that the wave makes along n in an insulator. The group velocity, the gradient of the frequency
by the wave vector, is u_i u_l dGamma_il/dn / (2 rho v).

Directions are (N, 3) Cartesian vectors of any length but zero, in the frame of the tensors. Arrays
of tensors may have leading batch axes (...).
"""

from typing import NamedTuple

import numpy as np
from ase import units

from .directional import unit_vectors
from .electromechanical import EPS_0
from .notation import voigt_columns_to_cartesian, voigt_to_cartesian

KM_PER_S = units.s / units.m * 1e-3  # of 1 (eV/amu)^1/2, ASE's velocity


class Waves(NamedTuple):
    """The three waves along each direction, from the slowest to the fastest.

    phase: velocities (..., N, 3), km/s; NaN where the crystal is unstable against the wave.
    group: velocities (..., N, 3, 3) as vectors, km/s: where the energy goes.
    polarisation: unit vectors (..., N, 3, 3), in the order of the waves; signs are arbitrary.
    """

    phase: np.ndarray
    group: np.ndarray
    polarisation: np.ndarray

    @property
    def power_flow(self) -> np.ndarray:
        """Angle (..., N, 3) between energy and wave, degrees: cos = v / |v_g|."""
        with np.errstate(invalid="ignore"):
            cosine = self.phase / np.linalg.norm(self.group, axis=-1)
        return np.degrees(np.arccos(np.minimum(cosine, 1.0)))

    @property
    def slowness(self) -> np.ndarray:
        """1 / v (..., N, 3), s/km."""
        return 1 / self.phase


def waves(
    stiffness: np.ndarray,
    density: float | np.ndarray,
    directions: np.ndarray,
    piezoelectric: np.ndarray | None = None,
    permittivity: np.ndarray | None = None,
) -> Waves:
    """The sound waves of crystals.

    Args:
        stiffness: (..., 6, 6), eV/Å^3, Voigt order xx yy zz yz xz xy, at constant field.
        density: (...), amu/Å^3.
        directions: (N, 3).
        piezoelectric, permittivity: e (..., 3, 6), e/Å^2, and relative (..., 3, 3) at constant
            strain, to stiffen the waves of an insulator; both or neither.

    Raises ValueError for a direction without length, or for one of the two alone.
    """
    if (piezoelectric is None) != (permittivity is None):
        raise ValueError("piezoelectric stiffening needs both e and the permittivity")
    n = unit_vectors(directions)
    c = voigt_to_cartesian(stiffness)
    density = np.asarray(density, dtype=float)[..., None, None]
    # Gamma and its gradient by n: (..., N, 3, 3) and (..., N, 3, 3, 3; the last by which component)
    once = np.einsum("...ijkl,nj->...nikl", c, n)
    gamma = np.einsum("...nikl,nk->...nil", once, n)
    slope = np.swapaxes(once, -1, -2)
    slope = slope + np.swapaxes(slope, -3, -2)
    if piezoelectric is not None and permittivity is not None:
        stiffened, bent = _stiffening(piezoelectric, permittivity, n)
        gamma, slope = gamma + stiffened, slope + bent
    squares, vectors = np.linalg.eigh((gamma + np.swapaxes(gamma, -1, -2)) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        phase = np.sqrt(squares / density)
        polarisation = np.swapaxes(vectors, -1, -2)
        along = np.einsum("...nwi,...nilk,...nwl->...nwk", polarisation, slope, polarisation)
        group = along / (2 * density * phase)[..., None]
    return Waves(phase * KM_PER_S, group * KM_PER_S, polarisation)


def _stiffening(
    piezoelectric: np.ndarray, permittivity: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What the longitudinal field adds to Gamma (..., N, 3, 3) and to its gradient by n."""
    e = voigt_columns_to_cartesian(piezoelectric)
    epsilon = EPS_0 * np.asarray(permittivity, dtype=float)
    q = np.einsum("...kij,nj,nk->...ni", e, n, n)
    dq = np.einsum("...kij,nk->...nij", e, n) + np.einsum("...kij,nj->...nik", e, n)
    screened = np.einsum("ni,...ij,nj->...n", n, epsilon, n)[..., None, None]
    dscreened = 2 * np.einsum("...ij,nj->...ni", epsilon, n)[..., None, None, :]
    square = q[..., :, None] * q[..., None, :]
    dsquare = (
        q[..., :, None, None] * dq[..., None, :, :] + q[..., None, :, None] * dq[..., :, None, :]
    )
    bent = (dsquare - square[..., None] * dscreened / screened[..., None]) / screened[..., None]
    return square / screened, bent


def debye_velocity(phase: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean velocity (...) of low-frequency phonons, km/s: that whose inverse cube is the mean
    of all inverse cubes (O. L. Anderson, J. Phys. Chem. Solids 24, 909 (1963)).

    Args:
        phase: (..., N, 3) velocities, km/s. weights: (N,) of the directions.
    """
    cubes = np.asarray(phase) ** -3.0
    return (np.average(cubes.mean(axis=-1), axis=-1, weights=weights)) ** (-1 / 3)


def debye_temperature(velocity: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(...), K, of a velocity in km/s and the number of atoms per Å^3: h/k (3 n / 4 pi)^1/3 v."""
    wave = (6 * np.pi**2 * np.asarray(number) * 1e30) ** (1 / 3)
    return units._hbar / units._k * np.asarray(velocity) * 1e3 * wave


def sphere_directions(degree: int = 29) -> tuple[np.ndarray, np.ndarray]:
    """Directions (N, 3) and weights (N,) of a product quadrature that is exact for polynomials of
    this degree: Gauss-Legendre by the polar axis, even spacing around it."""
    nodes, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    angle = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    z, phi = (x.ravel() for x in np.meshgrid(nodes, angle, indexing="ij"))
    r = np.sqrt(1 - z**2)
    directions = np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=1)
    return directions, np.repeat(weights, degree + 1) / (2 * (degree + 1))
