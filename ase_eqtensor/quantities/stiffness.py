"""Stiffness and compliance, and the moduli that follow from them."""

from functools import partial

import numpy as np
import torch
from ase import units

from ..tensors.directional import linear_compressibility, shear_modulus, youngs_modulus
from ..tensors.exponential import exponential
from ..tensors.forms import MANDEL
from ..tensors.moduli import hill_average, reuss_average, voigt_average
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


def _hill(stiffness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(K, G) of Voigt, Reuss and Hill, each (B,), in eV/Å^3."""
    k, g = hill_average(torch.from_numpy(stiffness))
    return k.numpy(), g.numpy()


def _modulus(index: int, stiffness: np.ndarray, _: Density) -> np.ndarray:
    return _hill(stiffness)[index] / GPA


def _young(stiffness: np.ndarray, _: Density) -> np.ndarray:
    k, g = _hill(stiffness)
    return 9 * k * g / (3 * k + g) / GPA


def _poisson(stiffness: np.ndarray, _: Density) -> np.ndarray:
    k, g = _hill(stiffness)
    return (3 * k - 2 * g) / (6 * k + 2 * g)


def _anisotropy(stiffness: np.ndarray, _: Density) -> np.ndarray:
    """5 G_V/G_R + K_V/K_R - 6 (S. I. Ranganathan, M. Ostoja-Starzewski, PRL 101, 055504 (2008))."""
    c = torch.from_numpy(stiffness)
    (k_voigt, g_voigt), (k_reuss, g_reuss) = voigt_average(c), reuss_average(torch.linalg.inv(c))
    return (5 * g_voigt / g_reuss + k_voigt / k_reuss - 6).numpy()


def _debye(stiffness: np.ndarray, density: Density) -> np.ndarray:
    """From the mean sound velocity of the polycrystal, after O. L. Anderson, J. Phys. Chem. Solids
    24, 909 (1963); NaN where the crystal is not stable."""
    k, g = _hill(stiffness)
    k, g = (np.where(_least(stiffness, density) > 0, modulus, np.nan) for modulus in (k, g))
    longitudinal, transverse = np.sqrt((k + 4 * g / 3) / density.mass), np.sqrt(g / density.mass)
    mean = ((1 / longitudinal**3 + 2 / transverse**3) / 3) ** (-1 / 3) * units.s / units.m
    return units._hbar / units._k * mean * (6 * np.pi**2 * density.number * 1e30) ** (1 / 3)


def _least(stiffness: np.ndarray, _: Density) -> np.ndarray:
    return np.linalg.eigvalsh(stiffness)[:, 0] / GPA


SCALARS = (
    Scalar("k_vrh_gpa", "Bulk modulus K", "K", "GPa", partial(_modulus, 0), 0.0, headline=True),
    Scalar("g_vrh_gpa", "Shear modulus G", "G", "GPa", partial(_modulus, 1), 0.0, headline=True),
    Scalar("young_gpa", "Young’s modulus E", "E", "GPa", _young, 0.0),
    Scalar("poisson", "Poisson ratio ν", "ν", "", _poisson),
    Scalar("anisotropy", "Universal anisotropy", "A", "", _anisotropy),
    Scalar("debye_k", "Debye temperature", "θ", "K", _debye, 0.0),
    Scalar("least_eigenvalue_gpa", "Stability: least eigenvalue of C", "λ", "GPa", _least),
)

SURFACES = (
    Surface(
        "young",
        "Young’s modulus",
        "GPa",
        {"Young’s modulus": lambda c, n: youngs_modulus(c / GPA, n)},
        "Stress over strain of uniaxial tension along each direction.",
    ),
    Surface(
        "shear",
        "Shear modulus",
        "GPa",
        {
            "least shear modulus": lambda c, n: shear_modulus(c / GPA, n)[0],
            "greatest shear modulus": lambda c, n: shear_modulus(c / GPA, n)[1],
        },
        "For the plane normal to each direction, the least or the greatest over the shear "
        "directions in that plane.",
    ),
    Surface(
        "compressibility",
        "Linear compressibility",
        "1/TPa",
        {"linear compressibility": lambda c, n: 1e3 * linear_compressibility(c / GPA, n)},
        "Relative shortening along each direction per hydrostatic pressure.",
    ),
)

HEAD = Head("stiffness", MANDEL, lambda tensors: tensors.get(NAME))

STIFFNESS = Quantity(
    name=NAME,
    meaning="relaxed-ion stiffness, Voigt order xx yy zz yz xz xy, no factors",
    unit="eV/Å^3",
    form=MANDEL,
    heads=(HEAD,),
    from_heads=lambda heads: exponential(heads[HEAD.name]),
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
        "these K and G; the universal anisotropy is 5 G_V/G_R + K_V/K_R − 6, zero if isotropic. "
        "The least eigenvalue (Mandel form) has to be positive in a stable crystal; a predicted "
        "stiffness always is positive definite, so this proves nothing about the crystal.",
        ieee=True,
    ),
    scalars=SCALARS,
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
    from_heads=lambda heads: exponential(-heads[HEAD.name]),
    to_ase=compliance_mandel_to_voigt,
    from_ase=lambda tensor: compliance_voigt_to_mandel(np.asarray(tensor, dtype=float)),
    display=Display(
        "Compliance S, engineering shear", "compliance", "S", "1/TPa", 1e3 * GPA, 2, SECTION
    ),
    least_eigenvalue=0.0,
    inverse_of=STIFFNESS,
)
