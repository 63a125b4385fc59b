"""The piezoelectric stress tensor of crystals without an inversion centre."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.stats import spearmanr

from ase_eqtensor.quantities import Density
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets.base import DataSet, TensorTarget
from ase_eqtensor.train.targets.curation import projected

FRAME = 0.10  # relative part of a tensor that may break the point group
NOISE = 0.02 / C_PER_M2  # e/Å^2; a smaller deviation is noise, whatever its relative size
# e/Å^2 of the whole tensor. Errors are relative above it and absolute below: a tensor that happens
# to be small is no harder to predict than others, and no more precious.
SMALL = 0.1 / C_PER_M2
SIGNED = 0.3 / C_PER_M2  # e/Å^2; an entry above it is expected with the right sign


@dataclass(frozen=True, eq=False)
class PiezoelectricTarget(TensorTarget):
    """The tensor e, scored by |P - T| / (|T| + `SMALL`), Frobenius norms of the full tensors."""

    def errors(self, predicted: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return (predicted - value).norm(dim=(-2, -1)) / (value.norm(dim=(-2, -1)) + SMALL)

    def loss(self, predicted: torch.Tensor, value: torch.Tensor, anisotropy: float) -> torch.Tensor:
        return self.errors(predicted, value).mean()

    def figures(self, predicted: np.ndarray, true: np.ndarray, density: Density) -> dict:
        """Beside those of every tensor: the same of no prediction at all, rank correlation of the
        greatest longitudinal coefficient, and how often the greatest entry has the right sign,
        in percent of the crystals in which it is above `SIGNED`."""
        quantity = self.quantity
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
            "longitudinal_spearman": float(spearmanr(*greatest).statistic),
            "sign_percent": float(100 * (said * is_ > 0)[counted].mean()),
        }


def _curate(record: Record) -> Record | Rejection:
    targets, deviation = projected(record, (PIEZOELECTRIC,))
    size = np.linalg.norm(PIEZOELECTRIC.from_ase(np.asarray(record.targets[PIEZOELECTRIC.name])))
    if deviation > FRAME and deviation * size > NOISE:
        return record.rejected(f"wrong frame: {deviation:.0%} of the tensor breaks the point group")
    return replace(record, targets=targets, frame_deviation=deviation)


PIEZOELECTRIC_DATA = DataSet(
    "piezoelectric",
    {PIEZOELECTRIC.name: PIEZOELECTRIC.shape},
    _curate,
    (PiezoelectricTarget(PIEZOELECTRIC),),
)
