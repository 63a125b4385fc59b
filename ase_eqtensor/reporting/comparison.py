"""A prediction beside the training data: percentiles, and crystals that are the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ..analysis import elastic_summary, refractive_indices
from ..models.training_crystals import TrainingCrystal
from ..tensors.notation import voigt_to_mandel


def scalars(tensors: Mapping[str, np.ndarray], atoms: Atoms) -> dict[str, float]:
    """Scalars of the tensors of a crystal, as far as it has them.

    Args:
        tensors: property name -> array, shapes and units of `ase_eqtensor.properties.PROPERTIES`.
        atoms: the crystal.

    Returns:
        Those of `elastic_summary`, and eps_inf, eps_total (a third of the trace) and
        refractive_index (mean of the principal ones).
    """
    found = {}
    if "elasticity_tensor" in tensors:
        found |= elastic_summary(tensors["elasticity_tensor"], atoms)
    if "electronic_dielectric_tensor" in tensors:
        eps_inf = tensors["electronic_dielectric_tensor"]
        found["eps_inf"] = float(np.trace(eps_inf)) / 3
        found["refractive_index"] = float(refractive_indices(eps_inf).mean())
    if "dielectric_tensor" in tensors:
        found["eps_total"] = float(np.trace(tensors["dielectric_tensor"])) / 3
    return found


def training_scalars(crystals: Iterable[TrainingCrystal]) -> dict[str, np.ndarray]:
    """Name of `scalars` -> its values in the training data, (N,), without NaN."""
    columns: dict[str, list[float]] = {}
    for crystal in crystals:
        if crystal.atoms is None:
            continue
        for name, value in scalars(crystal.tensors, crystal.atoms).items():
            columns.setdefault(name, []).append(value)
    arrays = {name: np.array(values) for name, values in columns.items()}
    return {name: values[np.isfinite(values)] for name, values in arrays.items()}


@dataclass(frozen=True)
class Standing:
    """Where a value stands among the training data.

    percent: of the `crystals` training crystals that have a smaller one.
    """

    percent: float
    crystals: int


def standing(value: float, values: np.ndarray | None) -> Standing | None:
    """The percentile of `value` among `values` (N,); None without any."""
    if values is None or not len(values) or not np.isfinite(value):
        return None
    return Standing(100 * float((values < value).mean()), len(values))


def relative_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """|predicted - true| / |true|, Frobenius norms of the full tensors; (3, 3), or Voigt stiffness
    (6, 6)."""
    if true.shape == (6, 6):
        predicted, true = voigt_to_mandel(predicted), voigt_to_mandel(true)
    return float(np.linalg.norm(predicted - true) / np.linalg.norm(true))
