"""Errors of predictions of which bounds are made, each kind from all that is known of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ase_eqtensor.quantities import offered
from ase_eqtensor.train.folds import part_of
from ase_eqtensor.train.scoring.outputs import Predictions, common_columns
from ase_eqtensor.train.targets import DATASETS, targets
from ase_eqtensor.train.targets.base import TensorTarget, WholeTensor, tensor_deviations

PARTS = 20  # of the compositions; bounds of each are checked that come from the others
STRAINED_WEIGHT = 0.3  # of a strained copy, of which there are several of a crystal


@dataclass(frozen=True, eq=False)
class Deviations:
    """Errors of one kind of n crystals.

    values: (n,), see `Target.deviations`.
    features: of which their scale may depend, each (n,).
    formulas: (n,) reduced formulas.
    weights: (n,) in fits of their scale. votes: (n,) in fits of quantiles.
    large: (n,) whether the true tensor has a scalar that is hard to predict, see `Scalar`.
    family: (n,) that was left out of training and that the crystal is of; "" for the others.
    ordinary: (n,) whether it is a crystal of the training data, as it is, out of fold: no copy, and
        of no family that was left out.
    """

    values: np.ndarray
    features: dict[str, np.ndarray]
    formulas: np.ndarray
    weights: np.ndarray
    votes: np.ndarray
    ordinary: np.ndarray
    large: np.ndarray
    family: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Deviations":
        """Some of them, by their indices (m,) or a mask (n,)."""
        return Deviations(
            self.values[chosen],
            {name: column[chosen] for name, column in self.features.items()},
            self.formulas[chosen],
            self.weights[chosen],
            self.votes[chosen],
            self.ordinary[chosen],
            self.large[chosen],
            self.family[chosen],
        )

    def weighing(self, weight: float, vote: float) -> "Deviations":
        """The same with other weights and votes."""
        ones = np.ones(len(self.values))
        return replace(self, weights=weight * ones, votes=vote * ones)

    @property
    def parts(self) -> np.ndarray:
        """(n,) number of the part in which a composition is left out."""
        return partition(self.formulas, PARTS)


def partition(formulas: Iterable[str], parts: int) -> np.ndarray:
    """(n,) part of each composition, see `part_of`."""
    return np.array([part_of(formula, parts) for formula in formulas])


Known = dict[str, dict[str, Deviations]]  # quantity -> error -> deviations


def joined(parts: Iterable[Deviations]) -> Deviations:
    """Several as one, with the features that all of them have."""
    parts = list(parts)
    return Deviations(
        np.concatenate([part.values for part in parts]),
        common_columns([part.features for part in parts]),
        np.concatenate([part.formulas for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.votes for part in parts]),
        np.concatenate([part.ordinary for part in parts]),
        np.concatenate([part.large for part in parts]),
        np.concatenate([part.family for part in parts]),
    )


def deviations(predictions: Mapping[str, Predictions], ordinary: bool = True) -> Known:
    """What predictions by target tell of the errors of the quantities.

    Of rows that follow from others only strained copies count, and of those without `ordinary`
    none. Rows in quarantine do not.
    """
    collected: dict[str, dict[str, list[Deviations]]] = {}
    for target in targets().values():
        if target.name not in predictions:
            continue
        scored = predictions[target.name]
        copies = np.array([DATASETS[r.dataset].derived for r in scored.records])
        strained = np.array([not r.at_rest for r in scored.records])
        sound = np.array([not r.quarantine for r in scored.records])
        chosen = np.flatnonzero(sound & (~copies | (strained & ordinary)))
        if not len(chosen):
            continue
        scored, copies = scored.rows(chosen), copies[chosen]
        weights = np.where(copies, STRAINED_WEIGHT, 1.0)
        formulas = np.array([record.reduced_formula for record in scored.records])
        both = scored.predicted, scored.target
        for name, quantity in offered().items():
            if quantity.trained_on != target.quantity.name:
                continue
            large = np.zeros(len(copies), dtype=bool)
            if isinstance(target, TensorTarget):
                large = quantity.large(scored.target)
            if quantity.inverse_of:
                if not isinstance(target, WholeTensor):
                    continue
                predicted, true = (np.linalg.inv(side) for side in both)
                errors = tensor_deviations(quantity, predicted, true, scored.density)
            else:
                errors = target.deviations(*both, scored.density)
            for error, values in errors.items():
                of_kind = Deviations(
                    values,
                    scored.features,
                    formulas,
                    weights,
                    weights,
                    ~copies & ordinary,
                    large,
                    np.full(len(values), ""),
                )
                known = of_kind.rows(np.isfinite(values))
                collected.setdefault(name, {}).setdefault(error, []).append(known)
    return {
        name: {error: joined(parts) for error, parts in errors.items()}
        for name, errors in collected.items()
    }
