"""How a relaxed crystal responds to strains and displacements, from the fewest finite ones that its
symmetry allows.

Central differences give how stress and forces answer to strains and to displacements: the matrix H
of second derivatives of the energy by x (symmetric.py). Relaxing the ions is then algebra,

    C = (H_ss - H_su H_uu^-1 H_us) / V,

with s for strains and u for displacements (D. C. Wallace, Thermodynamics of Crystals, 1972; X. Wu,
D. Vanderbilt, D. R. Hamann, Phys. Rev. B 72, 035105, 2005). Unlike a relaxation in every strained
cell it cannot fail to converge, and it tells where ions have no minimum: H_uu has an eigenvalue
below zero. A stiffness needs only those displacements that strains may cause; the force constants
of all displacements are those of phonons at Gamma, without the field that a polar one causes.

Symmetry: an answer r to a probe v tells the answers D r to all D v, D in the group. So probes are
needed only until their orbits span the space: one strain for a cubic crystal, three for an
orthorhombic one, and no displacement at all for the stiffness of rocksalt.

Under pressure this C is the coefficients of stress against strain (B of Wallace), which decide
stability, not second derivatives of the energy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase.calculators.calculator import BaseCalculator

from ..tensors.notation import GPA, MANDEL_MATRICES, mandel_to_voigt
from .evaluation import forces_and_stress
from .symmetric import LENGTH, SymmetricCrystal, span

STEP = 0.005 * LENGTH  # Å, largest component of a probe: strains of 0.5 %, displacements of 0.01 Å
RANDOM = 16  # displacements at random among those from which the probes are chosen
FLOOR = 0.25  # eV/Å^2, of force constants: softer modes are known too badly to be divided by
WEAK = 1e-2  # share of a probe's square in a direction below which it does not tell about it


class Response(NamedTuple):
    """How a crystal of P atoms responds, in its frame.

    relaxed: its stiffness with relaxed ions, Voigt (6, 6) in GPa.
    clamped: the same with ions that follow the strain.
    least_force_constant: eV/Å^2, lowest eigenvalue of H_uu among the displacements that strains
        cause; None if there are none. Where it is not positive the ions have no minimum, and
        `relaxed` no meaning.
    misfit: relative difference between the answers and those of the symmetric, invariant H.
    evaluations: structures that the calculator was asked for.
    internal_strain: (3 P, 6), Å, displacements of the ions by a unit of each strain (Mandel) beyond
        those that follow it; force constants below `FLOOR`, also negative ones, count as that.
    force_constants: (3 P, 3 P), eV/Å^2, of all displacements at Gamma, which obey the acoustic sum
        rule; None if they were not asked for.
    """

    relaxed: np.ndarray
    clamped: np.ndarray
    least_force_constant: float | None
    misfit: float
    evaluations: int
    internal_strain: np.ndarray
    force_constants: np.ndarray | None = None


def response(
    crystal: SymmetricCrystal, calculator: BaseCalculator, force_constants: bool = False
) -> Response:
    """The response of a crystal whose ions are relaxed; its cell need not be.

    Args:
        force_constants: whether those of all displacements are wanted, too, which takes more
            evaluations.
    """
    strains = np.eye(len(crystal.internal))[:, :6]
    coupled = crystal.coupled()
    displaced = span(crystal.internal[:, 6:]) if force_constants else coupled
    probes = [
        *_probes(crystal.actions, strains, strains @ _subsets(6).T),
        *_probes(crystal.actions, displaced, _displacements(displaced)),
    ]
    reversing = [_reversing(crystal.actions, probe) for probe in probes]
    # both signs, unless symmetry tells the answer to the second
    signed = [x for v, back in zip(probes, reversing) for x in ([v, -v] if back is None else [v])]
    answers = iter(_answers(crystal, calculator, signed))
    orbits, responses = [], []
    for probe, back in zip(probes, reversing):
        answer = next(answers)
        opposite = next(answers) if back is None else back @ answer
        orbits.append(crystal.actions @ probe)
        responses.append(crystal.actions @ ((answer - opposite) / 2))
    asked, told = np.concatenate(orbits).T, np.concatenate(responses).T
    hessian = told @ np.linalg.pinv(asked, rcond=1e-6)
    hessian = (hessian + hessian.T) / 2
    misfit = np.linalg.norm(hessian @ asked - told) / np.linalg.norm(told)

    by_strain, mixed = hessian[:6, :6], coupled.T @ hessian[:, :6]
    by_displacement = coupled.T @ hessian @ coupled
    factor = LENGTH**2 / (crystal.atoms.get_volume() * GPA)
    ionic = mixed.T @ np.linalg.pinv(by_displacement, hermitian=True) @ mixed
    curvatures, modes = np.linalg.eigh(by_displacement)
    moved = -coupled @ (modes / np.maximum(curvatures, FLOOR)) @ modes.T @ mixed
    return Response(
        relaxed=mandel_to_voigt((by_strain - ionic) * factor),
        clamped=mandel_to_voigt(by_strain * factor),
        least_force_constant=float(curvatures[0]) if len(curvatures) else None,
        misfit=float(misfit),
        evaluations=len(signed),
        internal_strain=moved[6:] * LENGTH,
        force_constants=hessian[6:, 6:] if force_constants else None,
    )


def _answers(
    crystal: SymmetricCrystal, calculator: BaseCalculator, probes: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Stress times the volume before the strain, and forces, as the conjugates (n,) of each x (n,)
    among the probes, eV/Å."""
    volume = crystal.atoms.get_volume()
    answers = []
    for forces, stress in forces_and_stress([crystal.deformed(x) for x in probes], calculator):
        stress = np.einsum("iab,ab->i", MANDEL_MATRICES, stress)
        answers.append(np.concatenate([stress * volume / LENGTH, -forces.ravel()]))
    return answers


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
