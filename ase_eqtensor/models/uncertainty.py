"""How far off a prediction may be.

The scale of an error is an exponential of a linear function of features of the crystal: how much
the members of the ensemble disagree, how far it is from what they learnt, how strained, what kind
of tensor is predicted (features.py). Scale times a quantile bounds the error in the share of
crystals that the quantile stands for (normalised conformal prediction, J. Lei et al., J. Am. Stat.
Assoc. 113, 1094 (2018)). The quantiles are linear functions of chemical class, crystal system and
size of what is predicted, so that they hold in each of these (I. Gibbs, J. J. Cherian and E. J.
Candès, J. R. Stat. Soc. B 87, 1100 (2025)). All coefficients come from crystals that the predicting
members never saw (train/scoring/calibration.py) and lie in the model's card.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..quantities import QUANTITIES, Scalar
from .card import Calibrated, Card, ErrorScale, Measured, Suspicion
from .features import Told, error_features, hinges
from .fingerprints import Fingerprints

LEVELS = (0.5, 0.9)  # share of crystals for which a bound holds
RELATIVE = "relative_error"  # the error of a whole tensor, beside those of its scalars
NARROWEST = 0.02  # of the scale, so that an interval always has a width
WIDER = 1.1  # than the bound of a level is that of the next, at least


@dataclass(frozen=True)
class Interval:
    """A predicted scalar, and (low, high) for each of `LEVELS`."""

    value: float
    bounds: dict[float, tuple[float, float]]


@dataclass(frozen=True)
class Uncertainty:
    """Error estimate of one predicted tensor.

    relative_error: for each of `LEVELS` a bound of |T_predicted - T_true| / |T_true|, Frobenius
        norms of the full tensors, that holds for this share of crystals: 0.5 is the error to
        expect, 0.9 one to be safe with. "True" is first principles at the model's level of theory.
    scalars: intervals of the numbers that follow from the tensor, by name, as far as the model was
        calibrated for them: k_vrh_gpa and g_vrh_gpa of the elasticity tensor, say.
    unfamiliar: whether the error to expect is among the largest that the crystals had by which the
        model was calibrated; the model card says how large theirs were.
    """

    relative_error: dict[float, float]
    scalars: dict[str, Interval]
    unfamiliar: bool

    def to_dict(self) -> dict:
        """JSON-able form."""
        scalars = {
            name: {
                "value": interval.value,
                "bounds": {str(level): list(ends) for level, ends in interval.bounds.items()},
            }
            for name, interval in self.scalars.items()
        }
        bounds = {str(level): value for level, value in self.relative_error.items()}
        return {"relative_error": bounds, "scalars": scalars, "unfamiliar": self.unfamiliar}


def scale_of(error: ErrorScale, features: Mapping[str, np.ndarray]) -> np.ndarray:
    """exp(c_0 + sum_i c_i f_i), (B,), of the features (B,) that `error_features` gives."""
    return np.exp(linear(error.coefficients, features))


def linear(coefficients: Mapping[str, float], features: Mapping[str, np.ndarray]) -> np.ndarray:
    """sum_i c_i f_i, (B,)."""
    return np.sum([c * features[name] for name, c in coefficients.items()], axis=0)


def bounds_of(
    error: ErrorScale, features: Mapping[str, np.ndarray]
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """{level: low (B,), high (B,)}: ends between which an error lies, of the features (B,) that
    `error_features` gives; zero lies between them, and the ends of a lower level do."""
    scale = scale_of(error, features)
    low, high = -NARROWEST * scale, NARROWEST * scale
    bounds = {}
    for level in LEVELS:
        ends = error.quantiles[str(level)]
        low = np.minimum(WIDER * low, scale * linear(ends.low, features)) if ends.low else 0 * low
        high = np.maximum(WIDER * high, scale * linear(ends.high, features))
        bounds[level] = low, high
    return bounds


def corrected(
    name: str,
    tensors: np.ndarray,
    measured: Mapping[str, Measured],
    features: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Tensors (B, n, n) of a quantity, in the network's form, as a measurement would find them: the
    distance from the least possible one is multiplied by a factor that depends on the size."""
    quantity = QUANTITIES[name]
    shift = linear(measured[quantity.trained_on].shift, features)
    return quantity.scaled(tensors, np.exp(-shift if quantity.inverse_of else shift))


def measured_scales(scales: Mapping[str, ErrorScale], measured: Measured) -> dict[str, ErrorScale]:
    """The scales of errors from first principles, with the quantiles of measured ones."""
    return {
        error: ErrorScale(coefficients=scales[error].coefficients, quantiles=quantiles)
        for error, quantiles in measured.quantiles.items()
        if error in scales
    }


class Estimate(NamedTuple):
    """What is known of the errors of one crystal.

    uncertainty: quantity -> how far off it may be. suspicions: flags that are raised.
    strain: logarithm of the distance between neighbours over that of such atoms at rest.
    """

    uncertainty: dict[str, Uncertainty]
    suspicions: frozenset[str] = frozenset()
    strain: float = 0.0


@dataclass(frozen=True)
class ErrorModel:
    """Calibrated error scales of all quantities.

    calibrated: quantity -> its entry in the model card. suspicions: flag -> the same.
    measured: quantity -> the same.
    counts: quantity -> atomic number -> training crystals.
    folds: the fold that each member left out, if any.
    fingerprints: of the training crystals; None of a model that was calibrated without.
    """

    calibrated: Mapping[str, Calibrated]
    suspicions: Mapping[str, Suspicion]
    measured: Mapping[str, Measured]
    counts: Mapping[str, Mapping[int, float]]
    folds: list[int | None]
    fingerprints: Fingerprints | None = None

    @classmethod
    def of(cls, card: Card, fingerprints: Fingerprints | None = None) -> "ErrorModel | None":
        """The error model of a model card; None if the model was never calibrated."""
        if not card.calibrated:
            return None
        folds = [member.fold for member in card.members]
        return cls(
            card.uncertainty,
            card.suspicions,
            card.measured,
            card.elements,
            folds,
            fingerprints,
        )

    def features(self, told: Told) -> dict[str, np.ndarray]:
        """What the errors of B crystals may depend on, see `error_features`."""
        return error_features(told, self.counts)

    def as_measured(self, told: Told, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Quantity -> (B, *form.shape), what a measurement would find, of those of which that is
        known."""
        return {
            name: corrected(name, tensors, self.measured, features)
            for name, tensors in told.tensors.items()
            if QUANTITIES[name].trained_on in self.measured
        }

    def estimate(
        self,
        told: Told,
        features: Mapping[str, np.ndarray],
        scalars: Mapping[str, np.ndarray],
        measured: bool = False,
    ) -> "list[Estimate]":
        """What is known of the errors of each of B crystals.

        Args:
            told: crystals and what the network says of them. features: theirs.
            scalars: name -> values (B,) of the predicted scalars.
            measured: whether these are corrected values, and errors those of measured ones.
        """
        raised = {
            flag: linear(suspicion.coefficients, features) > suspicion.above
            for flag, suspicion in self.suspicions.items()
        }
        strain = np.zeros(len(told.numbers)) if told.strain is None else told.strain
        results = [
            Estimate({}, frozenset(flag for flag, those in raised.items() if those[i]), float(one))
            for i, one in enumerate(strain)
        ]
        for name, entry in self.calibrated.items():
            if measured and QUANTITIES[name].trained_on not in self.measured:
                continue
            known = {**features, **hinges(name, features, entry.knots)}
            scales = entry.scales
            if measured:
                scales = measured_scales(scales, self.measured[QUANTITIES[name].trained_on])
            bounds = {error: bounds_of(scale, known) for error, scale in scales.items()}
            flagged = scale_of(entry.scales[RELATIVE], known) > entry.unfamiliar_above
            calibrated = [s for s in QUANTITIES[name].scalars if s.name in scales]
            forbidden = [not tensor.any() for tensor in told.tensors[name]]
            for i, result in enumerate(results):
                if forbidden[i]:
                    result.uncertainty[name] = _no_error(calibrated)
                    continue
                ends = {
                    error: {q: (float(low[i]), float(high[i])) for q, (low, high) in levels.items()}
                    for error, levels in bounds.items()
                }
                intervals = {
                    scalar.name: _interval(
                        float(scalars[scalar.name][i]), scalar.least or 0.0, ends[scalar.name]
                    )
                    for scalar in calibrated
                }
                relative = {level: high for level, (_, high) in ends[RELATIVE].items()}
                result.uncertainty[name] = Uncertainty(relative, intervals, bool(flagged[i]))
        return results


def of_product(low: Any, high: Any, relative: Any) -> tuple[np.ndarray, np.ndarray]:
    """Ends (...) of the logarithm of a number that is proportional to two tensors: the logarithm of
    a number of the one lies between `low` and `high` (...), the other has the relative error
    `relative` (...). Independent errors, so they add in quadrature."""
    other = np.log1p(relative)
    return -np.hypot(low, other), np.hypot(high, other)


def _no_error(scalars: Sequence[Scalar]) -> Uncertainty:
    """That of a tensor which symmetry forbids."""
    exact = {scalar.name: Interval(0.0, dict.fromkeys(LEVELS, (0.0, 0.0))) for scalar in scalars}
    return Uncertainty(dict.fromkeys(LEVELS, 0.0), exact, unfamiliar=False)


def _interval(value: float, least: float, ends: dict[float, tuple[float, float]]) -> Interval:
    def bound(end: float) -> float:
        return least + (value - least) * float(np.exp(end))

    return Interval(
        value, {level: (bound(low), bound(high)) for level, (low, high) in ends.items()}
    )
