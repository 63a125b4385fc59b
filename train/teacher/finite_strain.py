"""Stiffness of a relaxed crystal from the fewest finite strains that its symmetry allows.

Central differences give how stress and forces answer to strains, and to those displacements that
strains may cause: the matrix H of second derivatives of the energy by x (symmetric.py). Relaxing
the ions is then algebra,

    C = (H_ss - H_su H_uu^-1 H_us) / V,

with s for strains and u for displacements (D. C. Wallace, Thermodynamics of Crystals, 1972; X. Wu,
D. Vanderbilt, D. R. Hamann, Phys. Rev. B 72, 035105, 2005). Unlike a relaxation in every strained
cell it cannot fail to converge, and it tells where ions have no minimum: H_uu has an eigenvalue
below zero.

Symmetry: an answer r to a probe v tells the answers D r to all D v, D in the group. So probes are
needed only until their orbits span the space: one strain for a cubic crystal, three for an
orthorhombic one, and no displacement at all in rocksalt.

Under pressure this C is the coefficients of stress against strain (B of Wallace), which decide
stability, not second derivatives of the energy.
"""

from typing import NamedTuple

import numpy as np
from ase.calculators.calculator import BaseCalculator

from ase_eqtensor.tensors.notation import GPA, MANDEL_MATRICES, mandel_to_voigt
from ase_eqtensor.train.teacher.relaxation import forces_and_stress
from ase_eqtensor.train.teacher.symmetric import LENGTH, SymmetricCrystal

STEP = 0.005 * LENGTH  # Å, largest component of a probe: strains of 0.5 %, displacements of 0.01 Å
RANDOM = 16  # displacements at random among those from which the probes are chosen
WEAK = 1e-2  # share of a probe's square in a direction below which it does not tell about it


class Stiffness(NamedTuple):
    """A stiffness, Voigt (6, 6) in GPa, in the frame of the crystal.

    relaxed: with relaxed ions.
    clamped: with ions that follow the strain.
    least_force_constant: eV/Å^2, lowest eigenvalue of H_uu; None where no displacement answers to
        a strain. Where it is not positive the ions have no minimum, and `relaxed` no meaning.
    misfit: relative difference between the answers and those of the symmetric, invariant H.
    evaluations: of the calculator.
    """

    relaxed: np.ndarray
    clamped: np.ndarray
    least_force_constant: float | None
    misfit: float
    evaluations: int


def stiffness(crystal: SymmetricCrystal, calculator: BaseCalculator) -> Stiffness:
    """The stiffness of a crystal whose ions are relaxed; its cell need not be."""
    strains = np.eye(len(crystal.internal))[:, :6]
    coupled = crystal.coupled()
    probes = [
        *_probes(crystal.actions, strains, strains @ _subsets(6).T),
        *_probes(crystal.actions, coupled, _displacements(coupled)),
    ]
    orbits, responses, evaluations = [], [], 0
    for probe in probes:
        answer = _answer(crystal, calculator, probe)
        opposite = _reversing(crystal.actions, probe)
        if opposite is None:
            answer = (answer - _answer(crystal, calculator, -probe)) / 2
        else:
            answer = (answer - opposite @ answer) / 2
        evaluations += 1 if opposite is not None else 2
        orbits.append(crystal.actions @ probe)
        responses.append(crystal.actions @ answer)
    asked, answers = np.concatenate(orbits).T, np.concatenate(responses).T
    hessian = answers @ np.linalg.pinv(asked, rcond=1e-6)
    hessian = (hessian + hessian.T) / 2
    misfit = np.linalg.norm(hessian @ asked - answers) / np.linalg.norm(answers)

    by_strain, mixed = hessian[:6, :6], coupled.T @ hessian[:, :6]
    by_displacement = coupled.T @ hessian @ coupled
    factor = LENGTH**2 / (crystal.atoms.get_volume() * GPA)
    ionic = mixed.T @ np.linalg.pinv(by_displacement, hermitian=True) @ mixed
    curvatures = np.linalg.eigvalsh(by_displacement)
    return Stiffness(
        relaxed=mandel_to_voigt((by_strain - ionic) * factor),
        clamped=mandel_to_voigt(by_strain * factor),
        least_force_constant=float(curvatures[0]) if len(curvatures) else None,
        misfit=float(misfit),
        evaluations=evaluations,
    )


def _answer(crystal: SymmetricCrystal, calculator: BaseCalculator, x: np.ndarray) -> np.ndarray:
    """Stress times the volume before the strain, and forces, as the conjugates (n,) of x, eV/Å."""
    forces, stress = forces_and_stress(crystal.deformed(x), calculator)
    stress = np.einsum("iab,ab->i", MANDEL_MATRICES, stress)
    return np.concatenate([stress * crystal.atoms.get_volume() / LENGTH, -forces.ravel()])


def _probes(actions: np.ndarray, space: np.ndarray, candidates: np.ndarray) -> list[np.ndarray]:
    """The fewest of the candidates (n, m) whose orbits span the space (n, k), largest component
    `STEP`: at every choice the one that adds most dimensions, then costs the fewest evaluations,
    then is conditioned best."""
    chosen: list[np.ndarray] = []
    known = np.zeros((space.shape[1],) * 2)
    rank = 0
    unit = candidates / np.linalg.norm(candidates, axis=0)
    orbits = np.einsum("gij,jm->mgi", actions, unit) @ space
    moments = np.einsum("mgi,mgj->mij", orbits, orbits) / len(actions)
    costs = [1 if _reversing(actions, v) is not None else 2 for v in unit.T]
    while rank < space.shape[1]:
        strengths = np.linalg.eigvalsh(known + moments)
        enough = strengths > WEAK / space.shape[1]
        ranks = enough.sum(axis=1)
        worst = np.where(enough, strengths, np.inf).min(axis=1)
        best = max(range(len(costs)), key=lambda m: (ranks[m], -costs[m], worst[m]))
        assert ranks[best] > rank  # because the candidates span the space
        rank = ranks[best]
        known = known + moments[best]
        chosen.append(STEP * unit[:, best] / np.abs(unit[:, best]).max())
    return chosen


def _subsets(size: int) -> np.ndarray:
    """All sums (2^size - 1, size) of different unit vectors."""
    return np.array([[n >> i & 1 for i in range(size)] for n in range(1, 2**size)], dtype=float)


def _displacements(coupled: np.ndarray) -> np.ndarray:
    """Displacements (n, m) in the space (n, k): those of single atoms, which span it, and general
    ones, few of which do where symmetry is high."""
    single = np.eye(len(coupled))[:, 6:]
    general = np.random.default_rng(0).normal(size=(len(coupled), RANDOM))
    displacements = coupled @ (coupled.T @ np.hstack([single, general]))
    return displacements[:, np.linalg.norm(displacements, axis=0) > 0.1]


def _reversing(actions: np.ndarray, probe: np.ndarray) -> np.ndarray | None:
    """An operation (n, n) that turns the probe (n,) into its opposite: one evaluation less."""
    distance = np.abs(actions @ probe + probe).max(axis=1)
    return actions[distance.argmin()] if distance.min() < 1e-6 * np.abs(probe).max() else None
