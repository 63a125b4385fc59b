"""The stiffness, and K and G of crystals that have no tensor, which teach it weakly."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from ase_eqtensor.quantities import Density
from ase_eqtensor.quantities.stiffness import COMPLIANCE, STIFFNESS
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import metrics
from ase_eqtensor.train.targets.base import Columns, DataSet, Target, TensorTarget, WholeTensor
from ase_eqtensor.train.targets.curation import broken, projected

K, G = "k_vrh_gpa", "g_vrh_gpa"
TAUGHT_COLUMN = "taught_stiffness"  # in eV/Å^3, as the stiffness
MAX_MODULUS_GPA = 1000.0  # diamond: K = 436, G = 523
POISSON_RANGE = (-0.3, 0.49)  # alpha-cristobalite: -0.25; soft and nearly liquid In: 0.43


@dataclass(frozen=True, eq=False)
class ModuliTarget(Target):
    """K and G (VRH, GPa), as (2,), of crystals that have no tensor; functions of the predicted
    stiffness, scored by the error of their logarithms."""

    compared: tuple[str, ...] = (f"{K}_mae", f"{G}_mae")

    @property
    def name(self) -> str:
        return "moduli"

    def value(self, columns: Columns) -> np.ndarray | None:
        if STIFFNESS.name in columns or K not in columns:
            return None
        return np.array([columns[K], columns[G]])

    def predicted(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        k_and_g = hill_average(outputs[STIFFNESS.name], outputs[COMPLIANCE.name])
        return torch.stack(k_and_g, dim=1) / GPA

    def errors(self, predicted: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return (predicted / value).log().abs().mean(1)

    def deviations(
        self, predicted: np.ndarray, true: np.ndarray, density: Density
    ) -> dict[str, np.ndarray]:
        return dict(zip((K, G), np.log(true / predicted).T))

    def figures(self, predicted: np.ndarray, true: np.ndarray, density: Density) -> dict:
        error = np.abs(predicted - true)
        with np.errstate(divide="ignore"):  # a quarantined K or G may be 0; the median bears it
            relative = error / np.abs(true)
        figures: dict[str, float] = {"crystals": len(error)}
        for i, name in enumerate((K, G)):
            figures[f"{name}_mae"] = float(error[:, i].mean())
            figures[f"{name}_median_relative"] = float(np.median(relative[:, i]))
        return figures

    def row(self, side: str, value: np.ndarray, density: Density) -> dict:
        return {f"{side}_{name}": float(x) for name, x in zip((K, G), value)}


@dataclass(frozen=True, eq=False)
class TaughtTarget(WholeTensor):
    """A whole stiffness (6, 6; Mandel, eV/Å^3) with directions from a potential. It is learnt from,
    and never selects a model or calibrates one: `holds_tensors` is for first principles."""

    @property
    def name(self) -> str:
        return TAUGHT_COLUMN

    def value(self, columns: Columns) -> np.ndarray | None:
        tensor = columns.get(TAUGHT_COLUMN)
        return None if tensor is None else self.quantity.from_ase(np.asarray(tensor))

    def figures(self, predicted: np.ndarray, true: np.ndarray, density: Density) -> dict:
        return metrics.summary(self.quantity.form, predicted, true)

    def row(self, side: str, value: np.ndarray, density: Density) -> dict:
        return STIFFNESS_TARGET.row(side, value, density)


def _curate_stiffness(record: Record) -> Record:
    targets, deviation = projected(record, (STIFFNESS,))
    mandel = STIFFNESS.from_ase(targets[STIFFNESS.name])
    columns: dict[str, np.ndarray | float] = dict(targets)
    lowest = np.linalg.eigvalsh(mandel)[0] / GPA
    if lowest <= 0:
        reason = f"indefinite stiffness: lowest eigenvalue {lowest:.2f} GPa"
    else:
        k, g = (float(m) / GPA for m in hill_average(torch.from_numpy(mandel)))
        columns |= {K: k, G: g}
        reason = _absurd(k, g) or broken(deviation)
    return replace(record, targets=columns, quarantine=reason, frame_deviation=deviation)


def _curate_taught(record: Record) -> Record | Rejection:
    as_stiffness = replace(record, targets={STIFFNESS.name: record.targets[TAUGHT_COLUMN]})
    curated = _curate_stiffness(as_stiffness)
    return replace(curated, targets={TAUGHT_COLUMN: curated.targets[STIFFNESS.name]})


def _curate_moduli(record: Record) -> Record:
    k, g = float(record.targets[K]), float(record.targets[G])
    return replace(record, quarantine=_absurd(k, g))


def _absurd(k: float, g: float) -> str:
    if min(k, g) <= 0:
        return f"modulus not positive: K = {k:.2f} GPa, G = {g:.2f} GPa"
    if max(k, g) > MAX_MODULUS_GPA:
        return f"absurd modulus: K = {k:.0f} GPa, G = {g:.0f} GPa (in which unit was it given?)"
    poisson = (3 * k - 2 * g) / (6 * k + 2 * g)
    if not POISSON_RANGE[0] <= poisson <= POISSON_RANGE[1]:
        return f"absurd Poisson ratio: {poisson:.3f} (K = {k:.1f} GPa, G = {g:.1f} GPa)"
    return ""


STIFFNESS_TARGET = TensorTarget(
    STIFFNESS,
    features=(
        "stiffness spread",
        "stiffness shear",
        "stiffness anisotropy",
        "packing",
        "transition metals",
        "stiffness level",
    ),
)
ELASTIC = DataSet(
    "elastic", {STIFFNESS.name: STIFFNESS.shape}, _curate_stiffness, (STIFFNESS_TARGET,)
)
MODULI = DataSet("moduli", {K: (), G: ()}, _curate_moduli, (ModuliTarget(STIFFNESS, 0.5),))
TAUGHT = DataSet(
    "taught",
    {TAUGHT_COLUMN: STIFFNESS.shape},
    _curate_taught,
    (TaughtTarget(STIFFNESS, 0.25),),
    derived=True,
)
