"""Error estimates from out-of-fold predictions, and how good they are.

Coefficients of the error scales are least squares fits of the logarithm of the error; quantiles of
error over scale make bounds of them. `check` repeats both with one fold at a time left out, so that
no crystal is covered by a bound that its own error helped to make. Which features there are was
decided by what `check` said of them, a handful of yes or no decisions.
"""

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from ase_eqtensor.models.card import Calibrated, ErrorScale
from ase_eqtensor.models.uncertainty import LEVELS, RELATIVE, bounds_of, scale_of
from ase_eqtensor.quantities import QUANTITIES, offered
from ase_eqtensor.tensors.comparison import relative_errors
from ase_eqtensor.train.scoring.outputs import Predictions
from ase_eqtensor.train.targets import TensorTarget, targets

FLAGGED = 0.06  # share of the calibration crystals called unlike the training data
NEGLIGIBLE = 0.3  # of the median error; keeps the logarithms of lucky hits from ruling the fit


def calibrate(predictions: dict[str, Predictions]) -> dict[str, Calibrated]:
    """The entry "uncertainty" of a model card, from predictions out of fold by target."""
    entries = {}
    for name, scored in by_quantity(predictions).items():
        scales = {
            quantity: fit_scale(name, scored.rows(rows), error[rows])
            for quantity, error in errors(name, scored).items()
            if len(rows := np.flatnonzero(np.isfinite(error)))
        }
        scale = scale_of(scales[RELATIVE], scored.features)
        entries[name] = Calibrated(
            scales=scales, unfamiliar_above=float(np.quantile(scale, 1 - FLAGGED))
        )
    return entries


def errors(name: str, scored: Predictions) -> dict[str, np.ndarray]:
    """ "relative_error" of the tensor and |ln (predicted - least) / (true - least)| of the scalars
    of a quantity, each (n,); NaN where a crystal has no such scalar."""
    quantity, density = QUANTITIES[name], scored.density
    out = {RELATIVE: relative_errors(scored.predicted, scored.target)}
    predicted, true = (
        quantity.scalar_values(side, density) for side in (scored.predicted, scored.target)
    )
    for scalar in quantity.scalars:
        if scalar.least is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = (predicted[scalar.name] - scalar.least) / (true[scalar.name] - scalar.least)
                out[scalar.name] = np.abs(np.log(ratio))
    return out


def fit_scale(name: str, scored: Predictions, error: np.ndarray) -> ErrorScale:
    """Error scale of an error (n,) of a quantity, by least squares of its logarithm, and its
    quantiles."""
    quantity = QUANTITIES[name]
    target = targets()[quantity.trained_on]
    assert isinstance(target, TensorTarget)
    columns = ["constant", *(c for c in target.error_columns() if c in scored.features)]
    design = np.stack([scored.features[column] for column in columns], axis=1)
    log = np.log(error + NEGLIGIBLE * np.median(error))
    solution = np.linalg.lstsq(design, log, rcond=None)[0]
    coefficients = dict(zip(columns, map(float, solution)))
    scale = ErrorScale(coefficients=coefficients, quantiles={})
    ratio = error / scale_of(scale, scored.features)
    quantiles = {str(level): _quantile(ratio, level) for level in LEVELS}
    return msgspec.structs.replace(scale, quantiles=quantiles)


def check(predictions: dict[str, Predictions]) -> dict[str, dict]:
    """The entry "calibration" of a model card: how often bounds from the other folds hold.

    Returns, for each property and quantity, "coverage" {level: share}, the same "by_system" and
    "by_size" (thirds of the predicted tensor's norm), "width" and "median_width" {level: mean or
    median bound over the constant one from the same crystals} and "constant_coverage" of the
    latter; for the property "flagged": share, mean relative error, and that of the others.
    """
    return {
        name: {
            quantity: _checked(name, scored.rows(rows), error[rows])
            for quantity, error in errors(name, scored).items()
            if len(rows := np.flatnonzero(np.isfinite(error)))
        }
        | {"flagged": _flagged(name, scored)}
        for name, scored in by_quantity(predictions).items()
    }


def _checked(name: str, scored: Predictions, error: np.ndarray) -> dict:
    """How often bounds of an error (n,) hold, each from the crystals of the other parts."""
    groups = {
        "by_system": np.array([record.crystal_system for record in scored.records]),
        "by_size": _thirds(np.linalg.norm(scored.predicted, axis=(1, 2))),
    }
    bounds = {level: np.empty(len(error)) for level in LEVELS}
    constant = {level: np.empty(len(error)) for level in LEVELS}
    for held, rest in _left_out(scored):
        scale = fit_scale(name, scored.rows(rest), error[rest])
        for level, values in bounds_of(scale, scored.rows(held).features).items():
            bounds[level][held] = values
            constant[level][held] = _quantile(error[rest], level)
    return _coverage(error, bounds, groups) | {
        "width": _ratio(bounds, constant, np.mean),
        "median_width": _ratio(bounds, constant, np.median),
        "constant_coverage": _shares(error, constant, slice(None)),
    }


def _flagged(name: str, scored: Predictions) -> dict[str, float | None]:
    """Share of the crystals that would be flagged, and the mean errors of these and the others."""
    error = errors(name, scored)[RELATIVE]
    flagged = np.zeros(len(error), dtype=bool)
    for held, rest in _left_out(scored):
        scale = fit_scale(name, scored.rows(rest), error[rest])
        above = np.quantile(scale_of(scale, scored.rows(rest).features), 1 - FLAGGED)
        flagged[held] = scale_of(scale, scored.rows(held).features) > above
    return {
        "share": float(flagged.mean()),
        "mean_relative": _mean(error[flagged]),
        "mean_relative_of_the_others": _mean(error[~flagged]),
    }


def by_quantity(predictions: dict[str, Predictions]) -> dict[str, Predictions]:
    """Quantity -> predictions; those of inverses follow, also of the true tensors."""
    out = {}
    for name, quantity in offered().items():
        if quantity.trained_on not in predictions:
            continue
        scored = predictions[quantity.trained_on]
        if quantity.inverse_of:
            inverses = np.linalg.inv(scored.predicted), np.linalg.inv(scored.target)
            scored = Predictions(scored.records, *inverses, scored.features)
        out[name] = scored
    return out


def _left_out(scored: Predictions) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of the crystals of each part, and of all others."""
    parts = _parts(scored)
    for part in np.unique(parts):
        yield np.flatnonzero(parts == part), np.flatnonzero(parts != part)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _parts(scored: Predictions) -> np.ndarray:
    """The part (n,) that each crystal is left out with: its fold, or, where there is only one fold,
    a fifth of the compositions."""
    folds = np.array([record.fold for record in scored.records])
    if len(set(folds.tolist())) > 1:
        return folds
    formulas = sorted({record.reduced_formula for record in scored.records})
    return np.array([formulas.index(record.reduced_formula) % 5 for record in scored.records])


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
    in_groups = {
        kind: {str(label): _shares(error, bounds, labels == label) for label in np.unique(labels)}
        for kind, labels in groups.items()
    }
    return {"coverage": _shares(error, bounds, slice(None))} | in_groups


def _ratio(bounds: dict, constant: dict, statistic: Callable) -> dict[str, float]:
    return {str(q): float(statistic(bounds[q]) / statistic(constant[q])) for q in bounds}
