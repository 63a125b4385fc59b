"""A prediction beside the training data: percentiles of its scalars."""

from dataclasses import dataclass

import numpy as np


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
