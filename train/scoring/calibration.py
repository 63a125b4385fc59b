"""Error estimates from out-of-fold predictions, and how good they are.

Coefficients of the error scales are least squares fits of the logarithm of the error; quantiles of
error over scale make bounds of them. `check` repeats both with one fold at a time left out, so that
no crystal is covered by a bound that its own error helped to make. Which features there are was
decided by what `check` said of them, a handful of yes or no decisions.
"""

from collections.abc import Callable

import numpy as np

from ase_eqtensor.models.uncertainty import LEVELS, SCALARS, ErrorScale
from ase_eqtensor.properties import PROPERTIES
from ase_eqtensor.train.scoring.metrics import relative_errors
from ase_eqtensor.train.scoring.outputs import Predictions

FLAGGED = 0.06  # share of the calibration crystals called unlike the training data
NEGLIGIBLE = 0.3  # of the median error; keeps the logarithms of lucky hits from ruling the fit
_CRYSTAL = ("packing", "transition metals", "stiffness level")
_STIFFNESS = (
    *("stiffness spread", "stiffness shear", "stiffness anisotropy", "stiffness rarity"),
    *_CRYSTAL,
)
_DIELECTRIC = ("electronic spread", "ionic spread", "electronic level", "ionic level", *_CRYSTAL)
FEATURES = {
    "elasticity_tensor": _STIFFNESS,
    "compliance_tensor": _STIFFNESS,
    "electronic_dielectric_tensor": (*_DIELECTRIC, "electronic anisotropy", "electronic rarity"),
    "dielectric_tensor": (*_DIELECTRIC, "ionic anisotropy", "dielectric rarity"),
}


def calibrate(predictions: dict[str, Predictions]) -> dict[str, dict]:
    """The entry "uncertainty" of a model card, see `ErrorModel`, from predictions out of fold."""
    out = {}
    for name, found in _by_property(predictions).items():
        scales = {quantity: fit(name, found, e) for quantity, e in errors(name, found).items()}
        scale = scales["relative_error"].scale(found.features)
        out[name] = {
            "scales": {
                quantity: {"coefficients": one.coefficients, "quantiles": one.quantiles}
                for quantity, one in scales.items()
            },
            "unfamiliar_above": float(np.quantile(scale, 1 - FLAGGED)),
        }
    return out


def errors(name: str, found: Predictions) -> dict[str, np.ndarray]:
    """ "relative_error" of the tensor and |ln (predicted - least) / (true - least)| of the scalars
    of a property, each (n,)."""
    out = {"relative_error": relative_errors(found.predicted, found.target)}
    for scalar, one in SCALARS[name].items():
        predicted, target = (one.of(side) - one.least for side in (found.predicted, found.target))
        out[scalar] = np.abs(np.log(predicted / target))
    return out


def fit(name: str, found: Predictions, error: np.ndarray) -> ErrorScale:
    """Error scale of a property's quantity, by least squares of ln(error), and its quantiles."""
    columns = ("constant", *FEATURES[name])
    design = np.stack([found.features[column] for column in columns], axis=1)
    log = np.log(error + NEGLIGIBLE * np.median(error))
    solution = np.linalg.lstsq(design, log, rcond=None)[0]
    scale = ErrorScale(dict(zip(columns, map(float, solution))), {})
    ratio = error / scale.scale(found.features)
    return ErrorScale(scale.coefficients, {str(q): _quantile(ratio, q) for q in LEVELS})


def check(predictions: dict[str, Predictions]) -> dict[str, dict]:
    """The entry "calibration" of a model card: how often bounds from the other folds hold.

    Returns, for each property and quantity, "coverage" {level: share}, the same "by_system" and
    "by_size" (thirds of the predicted tensor's norm), "width" and "median_width" {level: mean or
    median bound over the constant one from the same crystals} and "constant_coverage" of the
    latter; for the property "flagged": share, mean relative error, and that of the others.
    """
    out = {}
    for name, found in _by_property(predictions).items():
        parts = _parts(found)
        groups = {
            "by_system": np.array([record.crystal_system for record in found.records]),
            "by_size": _thirds(np.linalg.norm(found.predicted, axis=(1, 2))),
        }
        out[name] = {}
        for quantity, error in errors(name, found).items():
            bounds = {q: np.empty(len(error)) for q in LEVELS}
            constant = {q: np.empty(len(error)) for q in LEVELS}
            flagged = np.zeros(len(error), dtype=bool)
            for part in np.unique(parts):
                held, rest = np.flatnonzero(parts == part), np.flatnonzero(parts != part)
                own, others = found.rows(held).features, found.rows(rest)
                scale = fit(name, others, error[rest])
                for q in LEVELS:
                    bounds[q][held] = scale.bounds(own)[q]
                    constant[q][held] = _quantile(error[rest], q)
                above = np.quantile(scale.scale(others.features), 1 - FLAGGED)
                flagged[held] = scale.scale(own) > above
            out[name][quantity] = _coverage(error, bounds, groups) | {
                "width": _ratio(bounds, constant, np.mean),
                "median_width": _ratio(bounds, constant, np.median),
                "constant_coverage": _shares(error, constant, slice(None)),
            }
            if quantity == "relative_error":
                out[name]["flagged"] = {
                    "share": float(flagged.mean()),
                    "mean_relative": float(error[flagged].mean()),
                    "mean_relative_of_the_others": float(error[~flagged].mean()),
                }
    return out


def _by_property(predictions: dict[str, Predictions]) -> dict[str, Predictions]:
    """Predictions of every property; compliances are inverses, of the true stiffnesses, too."""
    known = dict(predictions)
    if "stiffness" in known:
        s = known["stiffness"]
        inverse = np.linalg.inv(s.predicted), np.linalg.inv(s.target)
        known["compliance"] = Predictions(s.records, *inverse, s.features)
    return {name: known[p.output] for name, p in PROPERTIES.items() if p.output in known}


def _parts(found: Predictions) -> np.ndarray:
    """The part (n,) that each crystal is left out with: its fold, or, where there is only one fold,
    a fifth of the compositions."""
    folds = np.array([record.fold for record in found.records])
    if len(set(folds.tolist())) > 1:
        return folds
    formulas = sorted({record.reduced_formula for record in found.records})
    return np.array([formulas.index(record.reduced_formula) % 5 for record in found.records])


def _quantile(values: np.ndarray, level: float) -> float:
    """The conformal quantile: holds for a further crystal with at least the probability `level`."""
    n = len(values)
    return float(np.quantile(values, min(1, np.ceil((n + 1) * level) / n), method="higher"))


def _thirds(values: np.ndarray) -> np.ndarray:
    edges = np.quantile(values, [1 / 3, 2 / 3])
    return np.array(["small", "middle", "large"])[np.searchsorted(edges, values)]


def _shares(error: np.ndarray, bounds: dict[float, np.ndarray], chosen) -> dict[str, float]:
    return {str(q): float((error <= bound)[chosen].mean()) for q, bound in bounds.items()}


def _coverage(error: np.ndarray, bounds: dict, groups: dict[str, np.ndarray]) -> dict:
    out = {"coverage": _shares(error, bounds, slice(None))}
    for kind, labels in groups.items():
        out[kind] = {
            str(label): _shares(error, bounds, labels == label) for label in np.unique(labels)
        }
    return out


def _ratio(bounds: dict, constant: dict, statistic: Callable) -> dict[str, float]:
    return {str(q): float(statistic(bounds[q]) / statistic(constant[q])) for q in bounds}
