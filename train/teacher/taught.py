"""What first principles and a potential say together: size from the former, directions and the
change with the volume from the latter."""

import numpy as np
import torch
from scipy.optimize import root

from ase_eqtensor.errors import DataError
from ase_eqtensor.tensors.forms import MANDEL
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, mandel_to_voigt, of_symmetric, voigt_to_mandel


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
    log = of_symmetric(np.log, voigt_to_mandel(np.asarray(label_gpa, dtype=float) * GPA))
    components = MANDEL.components(log)
    wanted = np.log(np.array([k_gpa, g_gpa]) * GPA)

    def stiffness(isotropic: np.ndarray) -> np.ndarray:
        log = MANDEL.array(np.concatenate([isotropic, components[MANDEL.scalars :]]))
        return of_symmetric(np.exp, log)

    def excess(isotropic: np.ndarray) -> np.ndarray:
        averages = hill_average(torch.from_numpy(stiffness(isotropic)))
        with np.errstate(invalid="ignore"):
            return np.log([float(average) for average in averages]) - wanted

    try:
        solution = root(excess, components[: MANDEL.scalars], tol=1e-12)
        found = abs(solution.fun).max() < 1e-9
    except (np.linalg.LinAlgError, RuntimeError, ValueError):  # it has run off to infinity
        found = False
    if not found:
        raise DataError(
            f"no stiffness with these directions has K = {k_gpa:.1f} and G = {g_gpa:.1f} GPa"
        )
    return mandel_to_voigt(stiffness(solution.x))


def strained_stiffness(
    known: np.ndarray, strained_gpa: np.ndarray, relaxed_gpa: np.ndarray
) -> np.ndarray:
    """The known stiffness plus the change of ln C that the potential finds on straining.

    Args:
        known: (6, 6) of the crystal at equilibrium, eV/Å^3, Voigt order xx yy zz yz xz xy.
        strained_gpa, relaxed_gpa: (6, 6) of the potential, GPa, same order and Cartesian frame.

    Returns:
        (6, 6) of the strained crystal, as `known`. All are positive definite.
    """
    at_rest, strained, relaxed = (
        of_symmetric(np.log, voigt_to_mandel(c)) for c in (known, strained_gpa, relaxed_gpa)
    )
    return mandel_to_voigt(of_symmetric(np.exp, at_rest + strained - relaxed))
