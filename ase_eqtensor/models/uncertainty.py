"""How far off a prediction may be.

The scale of an error is an exponential of a linear function of features of the crystal: how much
the members of the ensemble disagree, how rare its elements are in the training data, what kind of
tensor is predicted. Scale times a quantile bounds the error in the share of crystals that the
quantile stands for (normalised conformal prediction, J. Lei et al., J. Am. Stat. Assoc. 113, 1094
(2018)). Coefficients and quantiles come from crystals that the predicting members never saw
(train/calibration.py) and lie in the model's card.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ase.data import covalent_radii

from ..properties import PROPERTIES
from ..tensors.irreps import rank2_basis, stiffness_basis
from ..tensors.moduli import hill_average
from ..tensors.notation import GPA

LEVELS = (0.5, 0.9)  # share of crystals for which a bound holds
FLOOR = 1e-3  # of spreads, so that members which agree have a finite logarithm
SMALL = 0.03  # the same for anisotropies
TRANSITION_METALS = (*range(21, 30), *range(39, 48), *range(72, 80))  # groups 3 to 11


@dataclass(frozen=True)
class Scalar:
    """A number that follows from a tensor.

    least: its smallest possible value; intervals are multiplicative above it.
    of: (B, n, n) arrays in the network's form, stiffness as Mandel matrix in eV/Å^3, to (B,).
    """

    least: float
    of: Callable[[np.ndarray], np.ndarray]


def _modulus(which: int) -> Scalar:
    return Scalar(0.0, lambda c: hill_average(torch.from_numpy(c))[which].numpy() / GPA)


_TRACE = Scalar(1.0, lambda eps: np.einsum("bii->b", eps) / 3)
SCALARS: dict[str, dict[str, Scalar]] = {
    "elasticity_tensor": {"k_vrh_gpa": _modulus(0), "g_vrh_gpa": _modulus(1)},
    "compliance_tensor": {},
    "electronic_dielectric_tensor": {"trace_third": _TRACE},
    "dielectric_tensor": {"trace_third": _TRACE},
}


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
    scalars: intervals of the quantities that follow from the tensor: k_vrh_gpa and g_vrh_gpa of
        the elasticity tensor, trace_third of a permittivity.
    unfamiliar: whether the error to expect is among the largest that the crystals had by which the
        model was calibrated; the model card says how large theirs were.
    """

    relative_error: dict[float, float]
    scalars: dict[str, Interval]
    unfamiliar: bool

    def to_dict(self) -> dict:
        """JSON-able form."""
        scalars = {
            name: {"value": one.value, "bounds": {str(k): list(v) for k, v in one.bounds.items()}}
            for name, one in self.scalars.items()
        }
        bounds = {str(level): value for level, value in self.relative_error.items()}
        return {"relative_error": bounds, "scalars": scalars, "unfamiliar": self.unfamiliar}


@dataclass(frozen=True)
class ErrorScale:
    """Bounds of one error as functions of the features, in the units of the card."""

    coefficients: dict[str, float]  # of "constant" and of features
    quantiles: dict[str, float]  # str(level) -> factor

    def scale(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """exp(c_0 + sum_i c_i f_i), (B,)."""
        log = sum(c * features[name] for name, c in self.coefficients.items())
        return np.exp(log)

    def bounds(self, features: Mapping[str, np.ndarray]) -> dict[float, np.ndarray]:
        """{level: (B,)}."""
        scale = self.scale(features)
        return {level: scale * self.quantiles[str(level)] for level in LEVELS}


def features(
    log: Mapping[str, np.ndarray],
    folds: Sequence[int],
    numbers: Sequence[np.ndarray],
    volumes: Sequence[float],
    counts: Mapping[str, Mapping[int, float]],
) -> dict[str, np.ndarray]:
    """What the scale of an error may depend on, each (B,).

    Args:
        log: head -> (M, B, n, n), the members' logarithms (`TensorNetwork.logarithms`).
        folds: the fold that each of the M members left out. Disagreement is measured among members
            that learnt from the same crystals, as it can be for crystals of the training data.
        numbers, volumes: atomic numbers and volume (Å^3) of each crystal's cell.
        counts: training target -> atomic number -> training crystals that hold it.

    Returns:
        "constant"; for every head "HEAD spread", logarithm of the members' root mean square
        distance from the mean of their fold, "HEAD level", a sixth or third of the mean's trace,
        and "HEAD anisotropy", its anisotropic part; "stiffness shear", the level of the shear part
        alone; for every target "TARGET rarity", minus the
        logarithm of the count of the rarest element; "packing", the logarithm of the share of the
        volume that spheres with covalent radii fill, and "transition metals", their share of atoms.
    """
    spheres = [4 / 3 * np.pi * (covalent_radii[z] ** 3).sum() for z in numbers]
    out = {
        "constant": np.ones(len(numbers)),
        "packing": np.log(np.array(spheres) / np.asarray(volumes)),
        "transition metals": np.array([np.isin(z, TRANSITION_METALS).mean() for z in numbers]),
    }
    for head, values in log.items():
        mean = values.mean(0)
        out[f"{head} spread"] = np.log(_spread(values, np.asarray(folds)) + FLOOR)
        out[f"{head} level"] = np.einsum("bii->b", mean) / mean.shape[-1]
        isotropic = _isotropic_components(mean)
        rest = (mean**2).sum((1, 2)) - (isotropic**2).sum(1)
        out[f"{head} anisotropy"] = np.log(np.sqrt(np.maximum(rest, 0)) + SMALL)
        if head == "stiffness":
            out["stiffness shear"] = isotropic[:, 1] / 5**0.5
    for target, count in counts.items():
        rarest = [min(count.get(int(z), 0) for z in np.unique(z)) for z in numbers]
        out[f"{target} rarity"] = -np.log1p(rarest)
    return out


def _spread(values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Root mean square distance (B,) of members (M, B, n, n) from the mean of their fold, with
    Bessel's correction; zero if no fold has two members."""
    squares, freedom = np.zeros(values.shape[1]), 0
    for fold in np.unique(folds):
        own = values[folds == fold]
        squares += ((own - own.mean(0)) ** 2).sum((0, 2, 3))
        freedom += len(own) - 1
    return np.sqrt(squares / max(freedom, 1))


def _isotropic_components(mean: np.ndarray) -> np.ndarray:
    """Scalar irreps (B, 1) of (B, 3, 3) or (B, 2), dilation and shear, of Mandel (B, 6, 6)."""
    basis = rank2_basis()[:1] if mean.shape[-1] == 3 else stiffness_basis()[:2]
    return np.einsum("iac,bac->bi", basis.numpy(), mean)


@dataclass(frozen=True)
class ErrorModel:
    """Calibrated error scales of all properties.

    scales: property -> "relative_error" or a name of `SCALARS` -> scale. That of a scalar is for
        the logarithm of its distance from the smallest possible value.
    unfamiliar_above: property -> scale of the relative error above which a crystal is flagged.
    counts: training target -> atomic number -> training crystals.
    folds: the fold that each member left out.
    """

    scales: dict[str, dict[str, ErrorScale]]
    unfamiliar_above: dict[str, float]
    counts: dict[str, dict[int, float]]
    folds: list[int]

    @classmethod
    def from_card(cls, card: dict) -> "ErrorModel | None":
        """The error model of a model card; None if the model was never calibrated."""
        if "uncertainty" not in card:
            return None
        entries = card["uncertainty"]
        scales = {
            name: {quantity: ErrorScale(**one) for quantity, one in entry["scales"].items()}
            for name, entry in entries.items()
        }
        above = {name: entry["unfamiliar_above"] for name, entry in entries.items()}
        counts = {
            target: {int(z): n for z, n in count.items()}
            for target, count in card["elements"].items()
        }
        return cls(scales, above, counts, [member["fold"] for member in card["members"]])

    def estimate(
        self,
        log: Mapping[str, np.ndarray],
        outputs: Mapping[str, np.ndarray],
        numbers: Sequence[np.ndarray],
        volumes: Sequence[float],
    ) -> list[dict[str, Uncertainty]]:
        """Property -> uncertainty of each of B crystals; `outputs` as of `TensorNetwork`, the other
        arguments as of `features`."""
        found = features(log, self.folds, numbers, volumes, self.counts)
        results: list[dict[str, Uncertainty]] = [{} for _ in numbers]
        for name, scales in self.scales.items():
            bounds = {quantity: scale.bounds(found) for quantity, scale in scales.items()}
            flagged = scales["relative_error"].scale(found) > self.unfamiliar_above[name]
            tensor = outputs[PROPERTIES[name].output]
            values = {scalar: one.of(tensor) for scalar, one in SCALARS[name].items()}
            for i, result in enumerate(results):
                own = {
                    quantity: {level: float(bound[i]) for level, bound in one.items()}
                    for quantity, one in bounds.items()
                }
                intervals = {
                    scalar: _interval(float(value[i]), SCALARS[name][scalar].least, own[scalar])
                    for scalar, value in values.items()
                }
                result[name] = Uncertainty(own["relative_error"], intervals, bool(flagged[i]))
        return results


def _interval(value: float, least: float, widths: dict[float, float]) -> Interval:
    bounds = {
        level: (least + (value - least) * np.exp(-w), least + (value - least) * np.exp(w))
        for level, w in widths.items()
    }
    return Interval(value, {level: (float(a), float(b)) for level, (a, b) in bounds.items()})
