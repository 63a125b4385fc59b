"""The piezoelectric stress tensor of crystals without an inversion centre.

Where its frame is not known for certain, a row has several readings (train/frames/), one of which
is true. Loss and errors are those of the nearest.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import spearmanr

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities import Density
from ase_eqtensor.quantities.piezoelectric import NAME, PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets.base import Columns, DataSet, TensorTarget
from ase_eqtensor.train.targets.curation import averaged

FRAME = 0.10  # relative part of a tensor that may break the point group
NOISE = 0.02 / C_PER_M2  # e/Å^2; a smaller deviation is noise, whatever its relative size
# e/Å^2 of the whole tensor. Errors are relative above it and absolute below: a tensor that happens
# to be small is no harder to predict than others, and no more precious.
SMALL = 0.1 / C_PER_M2
READINGS = "piezoelectric_readings"  # column, (MOST_READINGS, 3, 6), the likeliest first
MOST_READINGS = 8  # of a row; what is left of them repeats the first
SIGNED = 0.3 / C_PER_M2  # e/Å^2; an entry above it is expected with the right sign


@dataclass(frozen=True, eq=False)
class PiezoelectricTarget(TensorTarget):
    """The tensor e, scored by |P - T| / (|T| + `SMALL`), Frobenius norms of the full tensors.

    Its value has all readings, (MOST_READINGS, 3, 6; Mandel).
    """

    def value(self, columns: Columns) -> np.ndarray | None:
        if READINGS in columns:
            return self.quantity.from_ase(np.asarray(columns[READINGS]))
        tensor = super().value(columns)
        return None if tensor is None else np.repeat(tensor[None], MOST_READINGS, axis=0)

    def meant(self, values: np.ndarray, predicted: np.ndarray | None = None) -> np.ndarray:
        if predicted is None:
            return values[:, 0]
        apart = np.linalg.norm(values - predicted[:, None], axis=(-2, -1))
        return values[np.arange(len(values)), apart.argmin(axis=1)]

    def errors(self, predicted: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        apart = (predicted[:, None] - value).norm(dim=(-2, -1))
        return (apart / (value.norm(dim=(-2, -1)) + SMALL)).amin(dim=1)

    def loss(self, predicted: torch.Tensor, value: torch.Tensor, anisotropy: float) -> torch.Tensor:
        return self.errors(predicted, value).mean()

    def deviations(
        self, predicted: np.ndarray, true: np.ndarray, density: Density
    ) -> dict[str, np.ndarray]:
        """Those of every tensor; NaN where the true one is noise."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = super().deviations(predicted, true, density)
        there = np.linalg.norm(true, axis=(1, 2)) > NOISE
        return {error: np.where(there, values, np.nan) for error, values in found.items()}

    def figures(self, predicted: np.ndarray, true: np.ndarray, density: Density) -> dict:
        """Of the crystals whose tensor is not zero. Beside those of every tensor: the same of no
        prediction at all, rank correlation of the greatest longitudinal coefficient, and how often
        the greatest entry has the right sign, in percent of the crystals in which it is above
        `SIGNED`."""
        quantity = self.quantity
        there = np.linalg.norm(true, axis=(1, 2)) > NOISE
        predicted, true = predicted[there], true[there]
        density = Density(density.mass[there], density.number[there])
        greatest = [
            quantity.scalar_values(side, density)[quantity.scalars[0].name]
            for side in (predicted, true)
        ]
        sides = [quantity.to_ase(side).reshape(len(side), -1) for side in (predicted, true)]
        largest = np.abs(sides[1]).argmax(axis=1)[:, None]
        said, is_ = (np.take_along_axis(side, largest, axis=1)[:, 0] for side in sides)
        counted = np.abs(is_) > SIGNED
        return super().figures(predicted, true, density) | {
            "entries_mae_of_zero": float(np.abs(sides[1]).mean() * C_PER_M2),
            "longitudinal_spearman": _rank_correlation(*greatest),
            "sign_percent": float(100 * (said * is_ > 0)[counted].mean()),
        }


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """NaN where there are no ranks."""
    alike = not len(one) or not np.ptp(one) or not np.ptp(other)
    return float("nan") if alike else float(spearmanr(one, other).statistic)


def _curate(record: Record) -> Record | Rejection:
    group = analyse(record.atoms).rotations
    targets, deviations = {}, [0.0]
    for name, column in record.targets.items():
        averages = []
        for raw in PIEZOELECTRIC.from_ase(np.asarray(column)).reshape(-1, *PIEZOELECTRIC.shape):
            average, deviation = averaged(PIEZOELECTRIC.form, raw, group)
            averages.append(average)
            if deviation * np.linalg.norm(raw) > NOISE:
                deviations.append(deviation)
        targets[name] = PIEZOELECTRIC.to_ase(np.array(averages)).reshape(np.shape(column))
    if (worst := max(deviations)) > FRAME:
        return record.rejected(f"wrong frame: {worst:.0%} of the tensor breaks the point group")
    return replace(record, targets=targets, frame_deviation=worst)


PIEZOELECTRIC_DATA = DataSet(
    "piezoelectric",
    {NAME: PIEZOELECTRIC.shape, READINGS: (MOST_READINGS, *PIEZOELECTRIC.shape)},
    _curate,
    (PiezoelectricTarget(PIEZOELECTRIC),),
    partial=True,  # a row has the tensor, if its frame is known, or else readings
)
