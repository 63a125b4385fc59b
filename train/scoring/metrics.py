"""Figures of merit of predicted tensors, as defined for the fixed folds (docs: model card).

All functions take numpy arrays: stiffness (n, 6, 6) in Mandel form (the Frobenius norm of which is
that of the rank-4 tensor) in eV/Å^3, permittivities (n, 3, 3), K and G (n, 2) in GPa, formation
energies (n,) in eV/atom.
"""

import numpy as np
import torch

from ase_eqtensor.tensors.irreps import RANK2, STIFFNESS, rank2_basis, stiffness_basis
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, mandel_to_voigt

BOOTSTRAP = 2000


def relative_errors(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """|P - T| / |T| for each crystal, (n,)."""
    return np.linalg.norm(predicted - target, axis=(1, 2)) / np.linalg.norm(target, axis=(1, 2))


def irreps_by_l(tensors: np.ndarray) -> dict[int, np.ndarray]:
    """{l: (n, multiplicity * (2l+1))} components of (n, 3, 3) or Mandel (n, 6, 6) tensors."""
    rank2 = tensors.shape[-1] == 3
    basis = (rank2_basis() if rank2 else stiffness_basis()).numpy()
    components = np.einsum("nab,iab->ni", tensors, basis)
    irreps = RANK2 if rank2 else STIFFNESS
    ends = np.cumsum([multiplicity * (2 * l + 1) for l, multiplicity in irreps.items()])
    return dict(zip(irreps, np.split(components, ends[:-1], axis=1)))


def isotropic_oracle(target: np.ndarray) -> np.ndarray:
    """Relative errors (n,) of each true tensor's own isotropic part: no direction known."""
    parts = irreps_by_l(target)
    anisotropic = sum((x**2).sum(1) for l, x in parts.items() if l > 0)
    return np.sqrt(anisotropic / sum((x**2).sum(1) for x in parts.values()))


def anisotropic_skill(predicted: np.ndarray, target: np.ndarray) -> dict[str, float | None]:
    """1 - sum |P_an - T_an|^2/|T|^2 / sum |T_an|^2/|T|^2, whole and for each l > 0.

    0 is no better than an isotropic tensor, 1 is perfect. None where all targets are isotropic
    (or cubic, for l = 2), so that there is nothing to be skilled in.
    """
    p, t = irreps_by_l(predicted), irreps_by_l(target)
    weight = 1 / sum((x**2).sum(1) for x in t.values())
    error = {f"l{l}": (weight * ((p[l] - t[l]) ** 2).sum(1)).sum() for l in t if l > 0}
    power = {f"l{l}": (weight * (t[l] ** 2).sum(1)).sum() for l in t if l > 0}
    error = {"all": sum(error.values()), **error}
    power = {"all": sum(power.values()), **power}
    return {k: float(1 - error[k] / power[k]) if power[k] > 1e-20 else None for k in error}


def summary(predicted: np.ndarray, target: np.ndarray) -> dict:
    """All figures that hold for both kinds of tensors, with bootstrap 95 % intervals."""
    errors = relative_errors(predicted, target)
    oracle = isotropic_oracle(target)
    return {
        "crystals": len(errors),
        "median_relative": with_interval(errors, np.median),
        "mean_relative": with_interval(errors, np.mean),
        **{f"ewt{p}_percent": float((errors < p / 100).mean() * 100) for p in (25, 10, 5)},
        "anisotropic_skill": anisotropic_skill(predicted, target),
        "isotropic_oracle": {"median": float(np.median(oracle)), "mean": float(oracle.mean())},
    }


def stiffness_summary(predicted: np.ndarray, target: np.ndarray) -> dict:
    """`summary` plus errors (GPa) of K, G (VRH) and Voigt entries, and the indefinite tensors."""
    k, g = (x.numpy() for x in hill_average(torch.from_numpy(predicted)))
    k0, g0 = (x.numpy() for x in hill_average(torch.from_numpy(target)))
    return summary(predicted, target) | {
        "k_vrh_mae_gpa": float(np.abs(k - k0).mean() / GPA),
        "g_vrh_mae_gpa": float(np.abs(g - g0).mean() / GPA),
        "entries_mae_gpa": float(np.abs(mandel_to_voigt(predicted - target)).mean() / GPA),
        "indefinite": int((np.linalg.eigvalsh(predicted)[:, 0] <= 0).sum()),
    }


def dielectric_summary(predicted: np.ndarray, target: np.ndarray) -> dict:
    """`summary` plus the errors of trace/3 and of the entries, and the number below 1."""
    trace = np.trace(predicted - target, axis1=1, axis2=2) / 3
    return summary(predicted, target) | {
        "trace_mae": float(np.abs(trace).mean()),
        "entries_mae": float(np.abs(predicted - target).mean()),
        "below_one": int((np.linalg.eigvalsh(predicted)[:, 0] < 1).sum()),
    }


def moduli_summary(predicted: np.ndarray, target: np.ndarray) -> dict:
    """Mean absolute (GPa) and median relative errors of K and G (VRH), both (n, 2)."""
    error = np.abs(predicted - target)
    with np.errstate(divide="ignore"):  # a quarantined K or G may be 0; the median bears it
        relative = error / np.abs(target)
    out = {"crystals": len(error)}
    for i, name in enumerate(("k_vrh", "g_vrh")):
        out[f"{name}_mae_gpa"] = float(error[:, i].mean())
        out[f"{name}_median_relative"] = float(np.median(relative[:, i]))
    return out


def energy_summary(predicted: np.ndarray, target: np.ndarray) -> dict:
    """Mean absolute and root-mean-square error of formation energies (n,) in eV/atom."""
    error = predicted - target
    return {
        "crystals": len(error),
        "mae_ev_per_atom": float(np.abs(error).mean()),
        "rmse_ev_per_atom": float(np.sqrt((error**2).mean())),
    }


def with_interval(values: np.ndarray, statistic=np.mean) -> dict[str, float]:
    """A statistic of values (n,) with its bootstrap 95 % interval."""
    resampled = np.random.default_rng(0).integers(0, len(values), (BOOTSTRAP, len(values)))
    low, high = np.percentile(statistic(values[resampled], axis=1), [2.5, 97.5])
    return {"value": float(statistic(values)), "low": float(low), "high": float(high)}
