"""The formation energy, an old target for the new model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from ase_eqtensor.quantities import Density
from ase_eqtensor.quantities.formation_energy import FORMATION_ENERGY
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets.base import Columns, DataSet, Target

MAX_FORMATION_ENERGY = 6.0  # eV/atom, either sign; CaF2: -4.3
ENERGY_SCALE = 0.1  # eV/atom; makes an energy error comparable with a relative error


@dataclass(frozen=True, eq=False)
class EnergyTarget(Target):
    """Formation energy in eV/atom, as (), scored by its absolute error."""

    compared: tuple[str, ...] = ("mae_ev_per_atom",)

    def value(self, columns: Columns) -> np.ndarray | None:
        energy = columns.get(self.quantity.name)
        return None if energy is None else np.asarray(energy)

    def predicted(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return outputs[self.quantity.name]

    def errors(self, predicted: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return (predicted - value).abs()

    def loss(self, predicted: torch.Tensor, value: torch.Tensor, anisotropy: float) -> torch.Tensor:
        return self.errors(predicted, value).mean() / ENERGY_SCALE

    def figures(self, predicted: np.ndarray, true: np.ndarray, density: Density) -> dict:
        error = predicted - true
        return {
            "crystals": len(error),
            "mae_ev_per_atom": float(np.abs(error).mean()),
            "rmse_ev_per_atom": float(np.sqrt((error**2).mean())),
        }

    def row(self, side: str, value: np.ndarray, density: Density) -> dict:
        return {f"{side}_ev_per_atom": float(value)}


def _curate(record: Record) -> Record:
    energy = float(record.targets[FORMATION_ENERGY.name])
    absurd = abs(energy) > MAX_FORMATION_ENERGY
    reason = f"absurd formation energy: {energy:.2f} eV/atom" if absurd else ""
    return replace(record, quarantine=reason)


FORMATION_ENERGIES = DataSet(
    FORMATION_ENERGY.name,
    {FORMATION_ENERGY.name: FORMATION_ENERGY.shape},
    _curate,
    (EnergyTarget(FORMATION_ENERGY, 0.2),),
)
