"""How far off a prediction may be.

The scale of an error is an exponential of a linear function of features of the crystal: how much
the members of the ensemble disagree, how rare its elements are in the training data, what kind of
tensor is predicted. Scale times a quantile bounds the error in the share of crystals that the
quantile stands for (normalised conformal prediction, J. Lei et al., J. Am. Stat. Assoc. 113, 1094
(2018)). Coefficients and quantiles come from crystals that the predicting members never saw
(train/calibration.py) and lie in the model's card.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from ..quantities import QUANTITIES, Head, heads
from .card import Card, ErrorScale

LEVELS = (0.5, 0.9)  # share of crystals for which a bound holds
RELATIVE = "relative_error"  # the error of a whole tensor, beside those of its scalars
FLOOR = 1e-3  # of spreads, so that members which agree have a finite logarithm
SMALL = 0.03  # the same for anisotropies
TRANSITION_METALS = (*range(21, 30), *range(39, 48), *range(72, 80))  # groups 3 to 11


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
    return np.exp(sum(c * features[name] for name, c in error.coefficients.items()))


def bounds_of(error: ErrorScale, features: Mapping[str, np.ndarray]) -> dict[float, np.ndarray]:
    """{level: (B,)}: bounds of an error, of the features (B,) that `error_features` gives."""
    scale = scale_of(error, features)
    return {level: scale * error.quantiles[str(level)] for level in LEVELS}


def error_features(
    outputs: Mapping[str, np.ndarray],
    folds: Sequence[int],
    numbers: Sequence[np.ndarray],
    volumes: Sequence[float],
    counts: Mapping[str, Mapping[int, float]],
) -> dict[str, np.ndarray]:
    """What the scale of an error may depend on, each (B,).

    Args:
        outputs: head -> (M, B, n, m), what the members say (`TensorNetwork.head_outputs`); heads
            that are no tensors give no feature.
        folds: the fold that each of the M members left out. Disagreement is measured among members
            that learnt from the same crystals, as it can be for crystals of the training data.
        numbers, volumes: atomic numbers (atoms,) and volume (Å^3) of each of the B crystals' cells.
        counts: quantity -> atomic number -> training crystals that hold it.

    Returns:
        "constant"; for every head "HEAD spread", logarithm of the members' root mean square
        distance from the mean of their fold, and "HEAD anisotropy", that of the mean's anisotropic
        part; where the head has isotropic parts "HEAD level", the mean's trace over its dimension,
        and "HEAD shear", the level of the second part alone; for every quantity "QUANTITY rarity",
        minus the logarithm of the count of the rarest element; "packing", the logarithm of the
        share of the volume that spheres with covalent radii fill, and "transition metals", their
        share of atoms.
    """
    spheres = [4 / 3 * np.pi * (covalent_radii[z] ** 3).sum() for z in numbers]
    features = {
        "constant": np.ones(len(numbers)),
        "packing": np.log(np.array(spheres) / np.asarray(volumes)),
        "transition metals": np.array([np.isin(z, TRANSITION_METALS).mean() for z in numbers]),
    }
    declared = heads()
    for name, values in outputs.items():
        if len(declared[name].form.shape) == 2:
            features |= _head_features(declared[name], values, np.asarray(folds))
    for quantity, count in counts.items():
        rarest = [min(count.get(int(z), 0) for z in np.unique(z)) for z in numbers]
        features[f"{quantity} rarity"] = -np.log1p(rarest)
    return features


def _head_features(head: Head, values: np.ndarray, folds: np.ndarray) -> dict[str, np.ndarray]:
    """Features of a head's arrays (M, B, n, m), each (B,)."""
    mean = values.mean(0)
    isotropic = head.form.components(mean)[:, : head.form.scalars]
    anisotropic = np.maximum((mean**2).sum((1, 2)) - (isotropic**2).sum(1), 0)
    features = {
        f"{head.name} spread": np.log(_spread(values, folds) + FLOOR),
        f"{head.name} anisotropy": np.log(np.sqrt(anisotropic) + SMALL),
    }
    if head.form.scalars:
        features[f"{head.name} level"] = np.einsum("bii->b", mean) / mean.shape[-1]
    if head.form.scalars > 1:
        features[f"{head.name} shear"] = isotropic[:, 1] / 5**0.5
    return features


def _spread(values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Root mean square distance (B,) of members (M, B, n, n) from the mean of their fold, with
    Bessel's correction; zero if no fold has two members."""
    squares, freedom = np.zeros(values.shape[1]), 0
    for fold in np.unique(folds):
        members = values[folds == fold]
        squares += ((members - members.mean(0)) ** 2).sum((0, 2, 3))
        freedom += len(members) - 1
    return np.sqrt(squares / max(freedom, 1))


@dataclass(frozen=True)
class ErrorModel:
    """Calibrated error scales of all quantities.

    scales: quantity -> "relative_error" or the name of a scalar -> scale. That of a scalar is for
        the logarithm of its distance from the smallest possible value.
    unfamiliar_above: quantity -> scale of the relative error above which a crystal is flagged.
    counts: quantity -> atomic number -> training crystals.
    folds: the fold that each member left out.
    """

    scales: dict[str, dict[str, ErrorScale]]
    unfamiliar_above: dict[str, float]
    counts: Mapping[str, Mapping[int, float]]
    folds: list[int]

    @classmethod
    def from_card(cls, card: Card) -> "ErrorModel | None":
        """The error model of a model card; None if the model was never calibrated."""
        if not card.calibrated:
            return None
        return cls(
            {name: entry.scales for name, entry in card.uncertainty.items()},
            {name: entry.unfamiliar_above for name, entry in card.uncertainty.items()},
            card.elements,
            [member.fold for member in card.members],
        )

    def estimate(
        self,
        outputs: Mapping[str, np.ndarray],
        scalars: Mapping[str, np.ndarray],
        numbers: Sequence[np.ndarray],
        volumes: Sequence[float],
    ) -> list[dict[str, Uncertainty]]:
        """Quantity -> uncertainty of each of B crystals.

        Args:
            outputs, numbers, volumes: as of `error_features`.
            scalars: name -> values (B,) of the predicted scalars.
        """
        features = error_features(outputs, self.folds, numbers, volumes, self.counts)
        results: list[dict[str, Uncertainty]] = [{} for _ in numbers]
        for name, scales in self.scales.items():
            bounds = {error: bounds_of(scale, features) for error, scale in scales.items()}
            flagged = scale_of(scales[RELATIVE], features) > self.unfamiliar_above[name]
            calibrated = [s for s in QUANTITIES[name].scalars if s.name in scales]
            for i, result in enumerate(results):
                widths = {
                    error: {level: float(bound[i]) for level, bound in levels.items()}
                    for error, levels in bounds.items()
                }
                intervals = {
                    scalar.name: _interval(
                        float(scalars[scalar.name][i]), scalar.least or 0.0, widths[scalar.name]
                    )
                    for scalar in calibrated
                }
                result[name] = Uncertainty(widths[RELATIVE], intervals, bool(flagged[i]))
        return results


def _interval(value: float, least: float, widths: dict[float, float]) -> Interval:
    bounds = {
        level: (least + (value - least) * np.exp(-w), least + (value - least) * np.exp(w))
        for level, w in widths.items()
    }
    return Interval(value, {level: (float(a), float(b)) for level, (a, b) in bounds.items()})
