"""Whole stiffnesses of crystals of which first principles know K and G only: size from there,
directions from the potential."""

import numpy as np
import torch
from scipy.linalg import expm, logm
from scipy.optimize import root

from ase_eqtensor.errors import DataError
from ase_eqtensor.tensors.forms import MANDEL
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, mandel_to_voigt, voigt_to_mandel


def taught_stiffness(label_gpa: np.ndarray, k_gpa: float, g_gpa: float) -> np.ndarray:
    """The stiffness with Hill averages K and G whose logarithm has the anisotropic part of that of
    a potential's stiffness.

    A potential that is soft in shear has all its shear moduli too small by about one factor; its
    errors of direction are nearly independent of those of a network.

    Args:
        label_gpa: (6, 6) positive definite, GPa, Voigt order xx yy zz yz xz xy, no factors.
        k_gpa, g_gpa: from first principles, positive, GPa.

    Returns:
        (6, 6) in eV/Å^3, same order and Cartesian frame.

    Raises DataError if no stiffness with these directions has these averages.
    """
    log = logm(voigt_to_mandel(np.asarray(label_gpa, dtype=float) * GPA)).real
    components = MANDEL.components(log)
    wanted = np.log(np.array([k_gpa, g_gpa]) * GPA)

    def stiffness(isotropic: np.ndarray) -> np.ndarray:
        return expm(MANDEL.array(np.concatenate([isotropic, components[MANDEL.scalars :]])))

    def excess(isotropic: np.ndarray) -> np.ndarray:
        averages = hill_average(torch.from_numpy(stiffness(isotropic)))
        return np.log([float(average) for average in averages]) - wanted

    with np.errstate(invalid="ignore"):
        solution = root(excess, components[: MANDEL.scalars], tol=1e-12)
    if not abs(solution.fun).max() < 1e-9:  # not >, which is false for nan
        raise DataError(
            f"no stiffness with these directions has K = {k_gpa:.1f} and G = {g_gpa:.1f} GPa"
        )
    return mandel_to_voigt(stiffness(solution.x))
