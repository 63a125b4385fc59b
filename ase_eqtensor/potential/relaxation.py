"""Relaxation of cell and ions in the coordinates that symmetry leaves free.

A quasi-Newton method (BFGS update) in the few symmetric strains and displacements. It neither
breaks a symmetry nor rotates the crystal: the deformation from the given to the relaxed cell is a
pure stretch. Only the symmetric part of forces and stress counts: the other part, which potentials
that tell left from right have where there are mirrors (up to 0.2 GPa in 7net-l3i5), is no physics.
"""

from typing import NamedTuple

import numpy as np
from ase.calculators.calculator import BaseCalculator

from ..errors import StructureError
from ..tensors.notation import GPA, MANDEL_MATRICES, project_rank2
from .evaluation import forces_and_stress
from .symmetric import LENGTH, SymmetricCrystal, deformation

MAX_FORCE = 0.005  # eV/Å
MAX_STRESS = 0.02  # GPa; 0.2 % of the volume where the bulk modulus is 10 GPa
MAX_STEPS = 80
MAX_MOVE = 0.1  # Å, largest component of a step
# First guesses of curvature, which the update replaces: a modulus of 100 GPa, an optical mode.
MODULUS = 100 * GPA  # eV/Å^3
FORCE_CONSTANT = 8.0  # eV/Å^2
VOLUMES = (0.5, 2.0)  # relaxed over given: beyond, it is no longer the same crystal


class Relaxed(NamedTuple):
    """A relaxed crystal.

    crystal: in the Cartesian frame of the given one.
    converged: whether forces and, unless the cell was fixed, stresses are below their limits.
    max_force: largest component in eV/Å of the symmetric part of the forces.
    stress: (3, 3) in GPa, in the frame of the crystal, positive under tension; its symmetric part.
    evaluations: of the calculator.
    """

    crystal: SymmetricCrystal
    converged: bool
    max_force: float
    stress: np.ndarray
    evaluations: int


def relax(
    crystal: SymmetricCrystal,
    calculator: BaseCalculator,
    fixed_cell: bool = False,
    max_steps: int = MAX_STEPS,
) -> Relaxed:
    """Relax the ions and, unless `fixed_cell`, the cell; the symmetry stays.

    Raises StructureError where the volume runs away.
    """
    free = crystal.invariant(strains=not fixed_cell)
    ions = crystal.invariant(strains=False)[6:]
    volume = crystal.atoms.get_volume()
    scale = np.full(len(free), FORCE_CONSTANT)
    scale[:6] = MODULUS * volume / LENGTH**2
    hessian = (free.T * scale) @ free
    y = np.zeros(free.shape[1])
    gradient: np.ndarray | None = None
    step = np.zeros_like(y)
    for evaluations in range(1, max_steps + 2):
        x = free @ y
        previous, (slope, forces, stress) = gradient, _gradient(crystal, calculator, x)
        max_force = np.abs(ions @ (ions.T @ forces.ravel())).max(initial=0.0)
        stress = project_rank2(stress, crystal.rotations)
        converged = max_force < MAX_FORCE and (fixed_cell or np.abs(stress).max() < MAX_STRESS)
        if converged or evaluations > max_steps:
            break
        gradient = free.T @ slope
        if previous is not None:
            hessian = _update(hessian, step, gradient - previous)
        step = _step(hessian, gradient, free)
        y = y + step
        if not VOLUMES[0] < np.linalg.det(deformation(free @ y)) < VOLUMES[1]:
            raise StructureError(
                f"its volume leaves {VOLUMES[0]} to {VOLUMES[1]} times the given one in "
                "relaxation: the calculator holds no such crystal"
            )
    return Relaxed(crystal.moved(x), bool(converged), float(max_force), stress, evaluations)


def _gradient(
    crystal: SymmetricCrystal, calculator: BaseCalculator, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivative (n,) of the energy by x, forces (P, 3), both in eV/Å, and stress (3, 3) in GPa."""
    atoms = crystal.deformed(x)
    ((forces, stress),) = forces_and_stress([atoms], calculator)
    stretch = deformation(x)
    # dE/dF = V sigma F^-T, and F is symmetric
    by_strain = atoms.get_volume() * stress @ np.linalg.inv(stretch)
    by_strain = np.einsum("iab,ab->i", MANDEL_MATRICES, by_strain) / LENGTH
    return np.concatenate([by_strain, -(forces @ stretch).ravel()]), forces, stress / GPA


def _step(hessian: np.ndarray, gradient: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Newton's step downhill, also where the curvature is negative, and not too far."""
    curvature, axes = np.linalg.eigh(hessian)
    step = -axes @ ((axes.T @ gradient) / np.maximum(np.abs(curvature), 0.05))
    return step * min(1.0, MAX_MOVE / np.abs(free @ step).max())


def _update(hessian: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """BFGS: the Hessian (k, k) that explains the change of the gradient (k,) along a step (k,)."""
    along, product = step @ change, hessian @ step
    if abs(along) < 1e-12:
        return hessian
    return (
        hessian + np.outer(change, change) / along - np.outer(product, product) / (step @ product)
    )
