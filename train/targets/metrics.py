"""Figures of merit of predicted tensors, as defined for the fixed folds.

All functions take numpy arrays (n, *form.shape) in the network's form (stiffness: Mandel matrices,
the Frobenius norm of which is that of the rank-4 tensor).
"""

import numpy as np

from ase_eqtensor.tensors.comparison import relative_errors
from ase_eqtensor.tensors.forms import Form

BOOTSTRAP = 2000


def isotropic_oracle(form: Form, target: np.ndarray) -> np.ndarray:
    """Relative errors (n,) of each true tensor's own isotropic part: no direction known."""
    parts = form.by_degree(target)
    anisotropic = sum((x**2).sum(1) for l, x in parts.items() if l > 0)
    return np.sqrt(anisotropic / sum((x**2).sum(1) for x in parts.values()))


def anisotropic_skill(
    form: Form, predicted: np.ndarray, target: np.ndarray
) -> dict[str, float | None]:
    """1 - sum |P_an - T_an|^2/|T|^2 / sum |T_an|^2/|T|^2, whole and for each l > 0.

    0 is no better than an isotropic tensor, 1 is perfect. None where all targets are isotropic
    (or cubic, for l = 2), so that there is nothing to be skilled in.
    """
    p, t = form.by_degree(predicted), form.by_degree(target)
    weight = 1 / sum((x**2).sum(1) for x in t.values())
    error = {f"l{l}": (weight * ((p[l] - t[l]) ** 2).sum(1)).sum() for l in t if l > 0}
    power = {f"l{l}": (weight * (t[l] ** 2).sum(1)).sum() for l in t if l > 0}
    error = {"all": sum(error.values()), **error}
    power = {"all": sum(power.values()), **power}
    return {k: float(1 - error[k] / power[k]) if power[k] > 1e-20 else None for k in error}


def summary(form: Form, predicted: np.ndarray, target: np.ndarray) -> dict:
    """The figures that every kind of tensor has, with bootstrap 95 % intervals."""
    errors = relative_errors(predicted, target)
    oracle = isotropic_oracle(form, target)
    return {
        "crystals": len(errors),
        "median_relative": with_interval(errors, np.median),
        "mean_relative": with_interval(errors, np.mean),
        **{f"ewt{p}_percent": float((errors < p / 100).mean() * 100) for p in (25, 10, 5)},
        "anisotropic_skill": anisotropic_skill(form, predicted, target),
        "isotropic_oracle": {"median": float(np.median(oracle)), "mean": float(oracle.mean())},
    }


def with_interval(values: np.ndarray, statistic=np.mean) -> dict[str, float]:
    """A statistic of values (n,) with its bootstrap 95 % interval."""
    resampled = np.random.default_rng(0).integers(0, len(values), (BOOTSTRAP, len(values)))
    low, high = np.percentile(statistic(values[resampled], axis=1), [2.5, 97.5])
    return {"value": float(statistic(values)), "low": float(low), "high": float(high)}
