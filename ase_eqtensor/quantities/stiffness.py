"""Stiffness and compliance, and the moduli that follow from them."""

from functools import cached_property

import numpy as np
import torch

from ..tensors.acoustics import KM_PER_S, debye_temperature, waves
from ..tensors.directional import linear_compressibility, shear_modulus, youngs_modulus
from ..tensors.forms import MANDEL
from ..tensors.moduli import reuss_average, voigt_average
from ..tensors.notation import (
    GPA,
    compliance_mandel_to_voigt,
    compliance_voigt_to_mandel,
    mandel_to_voigt,
    voigt_to_mandel,
)
from .base import Density, Display, Head, Quantity, Scalar, Surface

NAME = "elasticity_tensor"
SECTION = "Elastic tensor"


class Moduli:
    """Isotropic averages and stability of stiffnesses (B, 6, 6; Mandel, eV/Å^3), computed when they
    are asked for; all (B,), in GPa."""

    def __init__(self, stiffness: np.ndarray):
        self.stiffness = torch.from_numpy(stiffness)

    @cached_property
    def bounds(self) -> list[np.ndarray]:
        """K_V, G_V, K_R, G_R."""
        compliance = torch.linalg.inv(self.stiffness)
        averages = (*voigt_average(self.stiffness), *reuss_average(compliance))
        return [modulus.numpy() / GPA for modulus in averages]

    @property
    def k(self) -> np.ndarray:
        """Hill's mean of the bounds of the bulk modulus."""
        return (self.bounds[0] + self.bounds[2]) / 2

    @property
    def g(self) -> np.ndarray:
        """Hill's mean of the bounds of the shear modulus."""
        return (self.bounds[1] + self.bounds[3]) / 2

    @cached_property
    def least_eigenvalue(self) -> np.ndarray:
        """Positive where the crystal is mechanically stable (M. Born)."""
        return np.linalg.eigvalsh(self.stiffness.numpy())[:, 0] / GPA


def _anisotropy(moduli: Moduli, _: Density) -> np.ndarray:
    """5 G_V/G_R + K_V/K_R - 6 (S. I. Ranganathan, M. Ostoja-Starzewski, PRL 101, 055504 (2008))."""
    k_voigt, g_voigt, k_reuss, g_reuss = moduli.bounds
    return 5 * g_voigt / g_reuss + k_voigt / k_reuss - 6


def _debye(moduli: Moduli, density: Density) -> np.ndarray:
    """From the mean sound velocity of the polycrystal, after O. L. Anderson, J. Phys. Chem. Solids
    24, 909 (1963); NaN where the crystal is not stable."""
    k, g = (np.where(moduli.least_eigenvalue > 0, m * GPA, np.nan) for m in (moduli.k, moduli.g))
    longitudinal, transverse = np.sqrt((k + 4 * g / 3) / density.mass), np.sqrt(g / density.mass)
    mean = ((1 / longitudinal**3 + 2 / transverse**3) / 3) ** (-1 / 3)
    return debye_temperature(mean * KM_PER_S, density.number)


SCALARS = (
    Scalar("k_vrh_gpa", "Bulk modulus K", "K", "GPa", lambda m, _: m.k, 0.0, headline=True),
    Scalar("g_vrh_gpa", "Shear modulus G", "G", "GPa", lambda m, _: m.g, 0.0, headline=True),
    Scalar(
        "young_gpa",
        "Young’s modulus E",
        "E",
        "GPa",
        lambda m, _: 9 * m.k * m.g / (3 * m.k + m.g),
        0.0,
    ),
    Scalar(
        "poisson",
        "Poisson ratio ν",
        "ν",
        "",
        lambda m, _: (3 * m.k - 2 * m.g) / (6 * m.k + 2 * m.g),
    ),
    Scalar("anisotropy", "Universal anisotropy", "A", "", _anisotropy),
    Scalar("debye_k", "Debye temperature", "θ", "K", _debye, 0.0),
    Scalar(
        "least_eigenvalue_gpa",
        "Stability: least eigenvalue of C",
        "λ",
        "GPa",
        lambda m, _: m.least_eigenvalue,
    ),
)


def _slowness(stiffness: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """1 / (v sqrt(density)), 1/sqrt(GPa), of the three waves (..., 3) along directions (..., 3)."""
    slowness = waves(stiffness / GPA, 1.0, directions.reshape(-1, 3)).slowness * KM_PER_S
    return slowness.reshape(directions.shape)


SURFACES = (
    Surface(
        "young",
        "Young’s modulus",
        "GPa",
        ("Young’s modulus",),
        lambda c, n: youngs_modulus(c / GPA, n)[..., None],
        "Stress over strain of uniaxial tension along each direction.",
    ),
    Surface(
        "shear",
        "Shear modulus",
        "GPa",
        ("least shear modulus", "greatest shear modulus"),
        lambda c, n: np.stack(shear_modulus(c / GPA, n), axis=-1),
        "For the plane normal to each direction, the least or the greatest over the shear "
        "directions in that plane.",
    ),
    Surface(
        "compressibility",
        "Linear compressibility",
        "1/TPa",
        ("linear compressibility",),
        lambda c, n: 1e3 * linear_compressibility(c / GPA, n)[..., None],
        "Relative shortening along each direction per hydrostatic pressure.",
    ),
    Surface(
        "slowness",
        "Slowness of sound",
        "1/√GPa",
        ("slow transverse wave", "fast transverse wave", "longitudinal wave"),
        _slowness,
        "Inverse of the phase velocity along each direction, over the root of the density. Energy "
        "flows along the normal of the surface.",
    ),
)

HEAD = Head("stiffness", MANDEL, lambda tensors: tensors.get(NAME), density=True, distance_power=-7)

STIFFNESS = Quantity(
    name=NAME,
    meaning="relaxed-ion stiffness, Voigt order xx yy zz yz xz xy, no factors",
    unit="eV/Å^3",
    form=MANDEL,
    heads=(HEAD,),
    from_heads=lambda heads: heads[HEAD.name],
    to_ase=mandel_to_voigt,
    from_ase=lambda tensor: voigt_to_mandel(np.asarray(tensor, dtype=float)),
    display=Display(
        "Stiffness C",
        "stiffness",
        "C",
        "GPa",
        1 / GPA,
        1,
        SECTION,
        "Relaxed-ion stiffness, Voigt order xx yy zz yz xz xy, no factors. K and G are "
        "Voigt-Reuss-Hill averages; E, ν and the Debye temperature belong to the polycrystal with "
        "these K and G; the universal anisotropy is 5 G_V/G_R + K_V/K_R − 6 of the Voigt and Reuss "
        "averages, zero if isotropic. "
        "The least eigenvalue (Mandel form) has to be positive in a stable crystal; a predicted "
        "stiffness always is positive definite, so this proves nothing about the crystal.",
        ieee=True,
        entry="c",
        suffix="gpa",
        noun="stiffness",
    ),
    scalars=SCALARS,
    scalars_from=Moduli,
    surfaces=SURFACES,
    least_eigenvalue=0.0,
    file_key="elasticity_tensor_ev_per_ang3",
)

COMPLIANCE = Quantity(
    name="compliance_tensor",
    meaning="inverse of the stiffness, Voigt order, engineering shear",
    unit="Å^3/eV",
    form=MANDEL,
    heads=(HEAD,),
    from_heads=lambda heads: heads[HEAD.name],
    to_ase=compliance_mandel_to_voigt,
    from_ase=lambda tensor: compliance_voigt_to_mandel(np.asarray(tensor, dtype=float)),
    display=Display(
        "Compliance S, engineering shear",
        "compliance",
        "S",
        "1/TPa",
        1e3 * GPA,
        2,
        SECTION,
        entry="s",
        suffix="per_tpa",
        noun="compliance",
    ),
    least_eigenvalue=0.0,
    inverse_of=STIFFNESS,
    file_key="compliance_tensor_ang3_per_ev",
)
