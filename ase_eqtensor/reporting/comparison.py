"""A prediction beside the training data: percentiles of its scalars."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..models.training_crystals import TrainingCrystal
from ..quantities import Density, stored


def training_scalars(crystals: Iterable[TrainingCrystal]) -> dict[str, np.ndarray]:
    """Name of each scalar -> its values in the training data, (N,), without NaN."""
    crystals = list(crystals)
    columns: dict[str, np.ndarray] = {}
    for name, quantity in stored().items():
        rows = [(c.tensors[name], c.atoms) for c in crystals if c.atoms and name in c.tensors]
        if rows:
            arrays = quantity.from_ase(np.stack([tensor for tensor, _ in rows]))
            density = Density.of([atoms for _, atoms in rows])
            columns |= quantity.scalar_values(arrays, density)
    return {name: values[np.isfinite(values)] for name, values in columns.items()}


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
