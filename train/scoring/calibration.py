"""Error estimates from predictions of crystals that a model has not seen.

Coefficients of the error scales are least squares fits of the logarithm of the error; quantile
regressions of error over scale make bounds of them. Which features there are was decided by what
checks.py said of them, a handful of yes or no decisions.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from ase_eqtensor.crystal.chemistry import CHEMICAL_CLASSES
from ase_eqtensor.crystal.symmetry import CRYSTAL_SYSTEMS
from ase_eqtensor.models.card import Calibrated, Ends, ErrorScale
from ase_eqtensor.models.features import CONSTANT, SOFT_IONS, STRAIN, hinges
from ase_eqtensor.models.mixture import TOLD_BY_GAPS
from ase_eqtensor.models.uncertainty import LEVELS, RELATIVE, scale_of
from ase_eqtensor.quantities import QUANTITIES, Scalar
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.scoring.deviations import Deviations, Known, joined
from ase_eqtensor.train.scoring.least_squares import ridge
from ase_eqtensor.train.scoring.quantiles import quantile_regression
from ase_eqtensor.train.targets import TensorTarget, targets

FLAGGED = 0.09  # share of the calibration crystals called unlike the training data
NEGLIGIBLE = 0.3  # of the median error; keeps the logarithms of lucky hits from ruling the fit
RIDGE = 0.01  # of the sum of weights, on standardised features
FEWEST = 12  # crystals, below which a class or system has no quantile of its own
# Of a crystal of a family that was left out, beside an ordinary one. Families decide about scales;
# a larger vote about quantiles costs the ordinary crystals of their class the right ones.
FAMILY_WEIGHT, FAMILY_VOTE = 1.0, 0.1
FEWEST_FAMILIES = 3  # from which on it is known how much families differ
NONE: Mapping[str, Known] = MappingProxyType({})
KNOTS = (1 / 3, 2 / 3)  # of the sizes, where the slopes of the quantiles may change


def calibrate(known: Known, families: Mapping[str, Known] = NONE) -> dict[str, Calibrated]:
    """The entry "uncertainty" of a model card, from what is known of errors, and of those in
    families that were left out of training.

    No strained crystal with a permittivity is known: errors of other quantities are taken to grow
    with the strain as that of the stiffness does.
    """
    entries: dict[str, Calibrated] = {}
    for name, errors in known.items():
        everything = {
            error: with_families(one, [of_kind(k, name, error) for k in families.values()])
            for error, one in errors.items()
        }
        entries[name] = _calibrated(name, everything, strain_alone(name, entries))
    return entries


def of_kind(known: Known, name: str, error: str) -> Deviations | None:
    """The errors of a kind; None if none is known."""
    return known.get(name, {}).get(error)


def with_families(known: Deviations, families: Iterable[Deviations | None]) -> Deviations:
    """Known errors together with those of families that were left out."""
    left = [one.weighing(FAMILY_WEIGHT, FAMILY_VOTE) for one in families if one is not None]
    return joined([known, *left])


def strain_alone(name: str, entries: Mapping[str, Calibrated]) -> dict[str, float]:
    """The coefficient of the strain, where it is not to be fitted."""
    if STIFFNESS.name not in entries or QUANTITIES[name].trained_on == STIFFNESS.name:
        return {}
    learnt = entries[STIFFNESS.name].scales[RELATIVE].coefficients
    return {STRAIN: learnt[STRAIN]} if STRAIN in learnt else {}


def _calibrated(name: str, errors: Mapping[str, Deviations], fixed: dict) -> Calibrated:
    whole = errors[RELATIVE]
    sizes = whole.features[f"{name} size"]
    knots = [float(knot) for knot in np.quantile(sizes[whole.ordinary], KNOTS)]
    scales = {error: fit_scale(name, error, known, knots, fixed) for error, known in errors.items()}
    scale = scale_of(scales[RELATIVE], whole.features)[whole.ordinary]
    above = float(np.quantile(scale, 1 - FLAGGED))
    return Calibrated(scales=scales, unfamiliar_above=above, knots=knots)


def fit_scale(
    name: str, error: str, known: Deviations, knots: Sequence[float], fixed: Mapping[str, float]
) -> ErrorScale:
    """Scale of an error of a quantity, by least squares of its logarithm, and the quantiles of
    error over scale; `fixed` coefficients are not fitted."""
    features = known.features | hinges(name, known.features, knots)
    size = np.abs(known.values)
    log = np.log(size + NEGLIGIBLE * np.median(size[known.ordinary]))
    log = log - np.sum([c * features[column] for column, c in fixed.items()], axis=0)
    columns = [c for c in _scale_columns(name) if c in features and c not in fixed]
    design = np.stack([features[column] for column in columns], axis=1)
    solution = ridge(design, log, known.weights, RIDGE)
    coefficients = dict(zip(columns, map(float, solution))) | dict(fixed)
    novelty = f"{QUANTITIES[name].trained_on} novelty"
    if novelty in coefficients:
        left = log - design @ solution
        coefficients[novelty] += _between_families(left, known.family, features[novelty])
    scale = ErrorScale(coefficients=coefficients, quantiles={})
    ratio = known.values / scale_of(scale, features)
    columns = _quantile_columns(name, features, len(knots))
    design = np.stack([features[column] for column in columns], axis=1)

    def ends(share: float) -> dict[str, float]:
        found = quantile_regression(design, ratio, share, known.votes)
        return dict(zip(columns, map(float, found)))

    quantiles = {}
    for level in LEVELS:
        low, high = tails(name, error, level)
        quantiles[str(level)] = Ends(high=ends(high), low={} if low is None else ends(low))
    return ErrorScale(coefficients=coefficients, quantiles=quantiles)


def _between_families(left: np.ndarray, family: np.ndarray, novelty: np.ndarray) -> float:
    """Standard deviation of the mean residuals of families with elements that were never seen: by
    so much the next such family may differ; 0 if there are too few of them."""
    means = []
    for name in sorted(set(family.tolist()) - {""}):
        own = family == name
        if own.sum() >= FEWEST and novelty[own].mean() > 0.5:
            means.append(left[own].mean())
    return float(np.sqrt(np.mean(np.square(means)))) if len(means) >= FEWEST_FAMILIES else 0.0


def tails(name: str, error: str, level: float) -> tuple[float | None, float]:
    """Shares of the errors below the ends of an interval of this level; None for an error without
    a sign, which has no lower end."""
    if error == RELATIVE:
        return None, level
    share = _scalar(name, error).above if level == max(LEVELS) else 0.5
    above = (1 - level) * share
    return 1 - level - above, 1 - above


def _scalar(name: str, scalar: str) -> Scalar:
    return next(s for s in QUANTITIES[name].scalars if s.name == scalar)


def _scale_columns(name: str) -> list[str]:
    target = targets()[QUANTITIES[name].trained_on]
    assert isinstance(target, TensorTarget)
    gaps = TOLD_BY_GAPS.get(target.quantity.name, ())  # where a potential had its say, too
    return [CONSTANT, STRAIN, *target.error_columns(), *CHEMICAL_CLASSES, *gaps]


def _quantile_columns(name: str, features: Mapping[str, np.ndarray], knots: int) -> list[str]:
    """Those in each of which a share of errors lies below an end: classes and systems, but the
    largest of either, with which the constant deals, and those with hardly a crystal."""
    columns = [CONSTANT]
    for groups in (CHEMICAL_CLASSES, CRYSTAL_SYSTEMS):
        counts = {group: features[group].sum() for group in groups}
        largest = max(counts, key=lambda group: counts[group])
        columns += [g for g, count in counts.items() if g != largest and count >= FEWEST]
    columns += [f"{name} size", *(f"{name} size above {i}" for i in range(knots))]
    further = [STRAIN, SOFT_IONS] if QUANTITIES[name].may_soften else [STRAIN]
    return columns + [column for column in further if column in features]
