"""Checks of the training tensors, and their projection on the point group of the crystal.

A row that cannot be used at all is rejected. A doubtful one of the stiffness and dielectric sets
is quarantined: training skips it, and it is still scored when it falls in the test fold.
"""

from dataclasses import replace

import numpy as np
import torch

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import (
    GPA,
    project_rank2,
    project_stiffness,
    voigt_to_mandel,
)
from ase_eqtensor.train.record import (
    DATASETS,
    TARGET_SHAPES,
    Record,
    Rejection,
    missing_targets,
)
from ase_eqtensor.train.targets.piezoelectric import frobenius, project_piezoelectric

# Relative part of a tensor that may break transposition or the point group. Noise of the
# calculations reaches 9 % in the stiffness and 7 % in the permittivity set.
TENSOR_FRAME = 0.15
PIEZOELECTRIC_FRAME = 0.10
PIEZOELECTRIC_NOISE = 0.02  # C/m^2; a smaller deviation is noise, whatever its relative size

EPS_NOISE = 1e-3  # how far a computed permittivity may break eps_inf >= 1, eps_total >= eps_inf
MAX_EPS = 1000.0
# Born charges may vanish when all atoms are alike, but hardly between different elements: an ionic
# part that is zero along some axis to this fraction of its largest value was not computed there.
IONIC_ZERO = 1e-5
MAX_MODULUS_GPA = 1000.0  # diamond: K = 436, G = 523
POISSON_RANGE = (-0.3, 0.49)  # alpha-cristobalite: -0.25; soft and nearly liquid In: 0.43
MAX_FORMATION_ENERGY = 6.0  # eV/atom, either sign; CaF2: -4.3


def curate(record: Record) -> Record | Rejection:
    """Symmetrised, projected on the point group and checked.

    Returns the record with `quarantine` set to the reason if it is doubtful (a doubt that the
    source has expressed stays), or a Rejection if a target is missing, has the wrong shape or is
    not finite, or a piezoelectric tensor is in the wrong frame.
    """
    problem = _malformed(record)
    if problem:
        return _reject(record, problem)
    curated = _CURATE[record.dataset](record)
    if record.quarantine and isinstance(curated, Record):
        curated = replace(curated, quarantine=record.quarantine)
    return curated


def _malformed(record: Record) -> str:
    if missing := missing_targets(record.dataset, record.targets):
        return f"missing target: {', '.join(missing)}"
    for name, value in record.targets.items():
        if np.shape(value) != TARGET_SHAPES[name]:
            return f"wrong shape: {name} {np.shape(value)} instead of {TARGET_SHAPES[name]}"
        if not np.isfinite(value).all():
            return f"not finite: {name}"
    if not len(record.atoms) or not record.atoms.cell.volume > 0:
        return "no crystal: no atoms, or a cell without volume"
    return ""


def _elastic(record: Record) -> Record:
    raw = record.targets["elasticity_tensor"]
    stiffness = project_stiffness((raw + raw.T) / 2, analyse(record.atoms).rotations)
    mandel = voigt_to_mandel(stiffness)
    deviation = _deviation(mandel, voigt_to_mandel(raw))
    targets = {"elasticity_tensor": stiffness}
    lowest = np.linalg.eigvalsh(mandel)[0] / GPA
    if lowest <= 0:
        reason = f"indefinite stiffness: lowest eigenvalue {lowest:.2f} GPa"
    else:
        k, g = (float(m) / GPA for m in hill_average(torch.from_numpy(mandel)))
        targets |= {"k_vrh_gpa": k, "g_vrh_gpa": g}
        reason = _absurd_moduli(k, g) or _broken(deviation)
    return replace(record, targets=targets, quarantine=reason, frame_deviation=deviation)


def _dielectric(record: Record) -> Record:
    group = analyse(record.atoms).rotations
    targets, deviation = {}, 0.0
    for name in (n for n in DATASETS["dielectric"] if n in record.targets):
        raw = record.targets[name]
        targets[name] = project_rank2((raw + raw.T) / 2, group)
        deviation = max(deviation, _deviation(targets[name], raw))
    reason = _unphysical_permittivity(record, targets) or _broken(deviation)
    return replace(record, targets=targets, quarantine=reason, frame_deviation=deviation)


def _unphysical_permittivity(record: Record, targets: dict[str, np.ndarray]) -> str:
    for name, tensor in targets.items():
        eps = np.linalg.eigvalsh(tensor)
        if eps[0] < 1 - EPS_NOISE:
            return f"permittivity below 1: {name} has the eigenvalue {eps[0]:.3f}"
        if eps[-1] > MAX_EPS:
            return f"absurd permittivity: {name} has the eigenvalue {eps[-1]:.0f}"
    if len(targets) < 2:  # only one of the two is known
        return ""
    ionic = targets["dielectric_tensor"] - targets["electronic_dielectric_tensor"]
    lowest, *_, highest = np.linalg.eigvalsh(ionic)
    if lowest < -EPS_NOISE:
        return f"negative ionic part: lowest eigenvalue {lowest:.4f}"
    if len(set(record.atoms.numbers)) > 1 and lowest <= IONIC_ZERO * highest:
        return f"missing ionic part: eigenvalues {lowest:.2g} to {highest:.2g} in a compound"
    return ""


def _piezoelectric(record: Record) -> Record | Rejection:
    raw = record.targets["piezoelectric_tensor"]
    projected = project_piezoelectric(raw, analyse(record.atoms).rotations)
    broken, size = frobenius(projected - raw), frobenius(raw)
    deviation = broken / size if size else 0.0
    if deviation > PIEZOELECTRIC_FRAME and broken > PIEZOELECTRIC_NOISE:
        return _reject(record, f"wrong frame: {deviation:.0%} of the tensor breaks the point group")
    targets = {"piezoelectric_tensor": projected}
    return replace(record, targets=targets, frame_deviation=deviation)


def _moduli(record: Record) -> Record:
    k, g = (record.targets[name] for name in DATASETS["moduli"])
    return replace(record, quarantine=_absurd_moduli(k, g))


def _formation_energy(record: Record) -> Record:
    energy = record.targets["formation_energy"]
    absurd = abs(energy) > MAX_FORMATION_ENERGY
    reason = f"absurd formation energy: {energy:.2f} eV/atom" if absurd else ""
    return replace(record, quarantine=reason)


def _absurd_moduli(k: float, g: float) -> str:
    if min(k, g) <= 0:
        return f"modulus not positive: K = {k:.2f} GPa, G = {g:.2f} GPa"
    if max(k, g) > MAX_MODULUS_GPA:
        return f"absurd modulus: K = {k:.0f} GPa, G = {g:.0f} GPa (in which unit was it given?)"
    poisson = (3 * k - 2 * g) / (6 * k + 2 * g)
    if not POISSON_RANGE[0] <= poisson <= POISSON_RANGE[1]:
        return f"absurd Poisson ratio: {poisson:.3f} (K = {k:.1f} GPa, G = {g:.1f} GPa)"
    return ""


def _broken(deviation: float) -> str:
    if deviation <= TENSOR_FRAME:
        return ""
    return f"wrong frame: {deviation:.0%} of the tensor breaks transposition or the point group"


def _deviation(projected: np.ndarray, raw: np.ndarray) -> float:
    size = np.linalg.norm(raw)
    return float(np.linalg.norm(projected - raw) / size) if size else 0.0


def _reject(record: Record, reason: str) -> Rejection:
    return Rejection(record.dataset, record.source_id, record.reduced_formula, reason)


_CURATE = {
    "elastic": _elastic,
    "dielectric": _dielectric,
    "piezoelectric": _piezoelectric,
    "moduli": _moduli,
    "formation_energy": _formation_energy,
}
