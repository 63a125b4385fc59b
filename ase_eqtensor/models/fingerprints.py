"""How far a crystal is from those that a network learnt from, as the network sees them.

The invariants of which its heads make tensors are rotated to the principal axes that they have
over the training crystals, and scaled there to unit variance (A. Kessy et al., Am. Stat. 72, 309
(2018)); the leading coordinates are a crystal's fingerprint. Each member has its own axes, and its
own training crystals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

LEADING = 16  # principal axes
NEAREST = 5  # training crystals, to which the mean distance is taken
SHRINKAGE = 0.05  # of the mean variance, added to each


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """Fingerprints of N crystals by M members.

    mean: (M, C) of the invariants. axes: (M, C, D), by which deviations from it are multiplied.
    values: (N, M, D) fingerprints.
    learnt: (N, M) whether a member learnt from a crystal.
    teaches: quantity -> (N,) whether the crystal tells of it.
    """

    mean: np.ndarray
    axes: np.ndarray
    values: np.ndarray
    learnt: np.ndarray
    teaches: dict[str, np.ndarray]

    @classmethod
    def of(
        cls, invariants: np.ndarray, learnt: np.ndarray, teaches: dict[str, np.ndarray]
    ) -> "Fingerprints":
        """Those of N crystals with invariants (M, N, C), see `Reading`."""
        mean, axes = zip(*(_axes(own[known]) for own, known in zip(invariants, learnt.T)))
        made = cls(np.array(mean), np.array(axes), np.empty(0), learnt, teaches)
        return cls(made.mean, made.axes, made._project(invariants), learnt, teaches)

    def _project(self, invariants: np.ndarray) -> np.ndarray:
        """(B, M, D) of invariants (M, B, C)."""
        centred = invariants.astype(float) - self.mean[:, None]
        return (centred @ self.axes).swapaxes(0, 1)

    def select(self, members: Sequence[int]) -> "Fingerprints":
        """Those by some of the members, by their indices."""
        chosen = list(members)
        return Fingerprints(
            self.mean[chosen],
            self.axes[chosen],
            self.values[:, chosen],
            self.learnt[:, chosen],
            self.teaches,
        )

    def distances(self, invariants: np.ndarray) -> dict[str, np.ndarray]:
        """Quantity -> logarithm (B,) of the distance of crystals with invariants (M, B, C) from
        those that taught it: mean over the nearest ones, and over members of the logarithm."""
        asked = self._project(invariants)
        found: dict[bytes, np.ndarray] = {}  # quantities of one data set are taught by the same
        for rows, members in self._known.items():
            logarithms = [np.log(_nearest(asked[:, m], *own)) for m, own in enumerate(members)]
            found[rows] = np.mean(logarithms, axis=0)
        return {name: found[teaches.tobytes()] for name, teaches in self.teaches.items()}

    @cached_property
    def _known(self) -> dict[bytes, list[tuple[np.ndarray, np.ndarray]]]:
        """For each selection of crystals by `teaches`, and each member, -2 times the fingerprints
        (D, n) of those that it learnt from, and their squares (n,)."""
        known = {}
        for teaches in self.teaches.values():
            own = [self.values[teaches & learnt, m].T for m, learnt in enumerate(self.learnt.T)]
            known[teaches.tobytes()] = [(-2 * f, (f**2).sum(0)) for f in own]
        return known

    def save(self, path: Path) -> None:
        """Write them to an .npz file, fingerprints in half precision."""
        teaches = {f"teaches/{name}": rows for name, rows in self.teaches.items()}
        np.savez_compressed(
            path,
            mean=self.mean.astype(np.float32),
            axes=self.axes.astype(np.float32),
            values=self.values.astype(np.float16),
            learnt=self.learnt,
            **teaches,  # type: ignore[arg-type]  # it has an option among its keywords
        )

    @classmethod
    def load(cls, path: Path) -> "Fingerprints":
        """Those that `save` wrote."""
        with np.load(path) as file:
            columns = dict(file)
        prefix = "teaches/"
        teaches = {k.removeprefix(prefix): v for k, v in columns.items() if k.startswith(prefix)}
        mean, axes, values = (columns[name].astype(float) for name in ("mean", "axes", "values"))
        return cls(mean, axes, values, columns["learnt"], teaches)


def _axes(invariants: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (C,) and scaled leading axes (C, D) of invariants (n, C)."""
    mean = invariants.mean(0, dtype=float)
    variance, axes = np.linalg.eigh(np.cov((invariants - mean).T))
    variance, axes = variance[::-1], axes[:, ::-1]
    return mean, (axes / np.sqrt(variance + SHRINKAGE * variance.mean()))[:, :LEADING]


def _nearest(asked: np.ndarray, minus_two_known: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Mean distance (B,) of points (B, D) from the nearest of others, given as -2 times their
    coordinates (D, n) and their squares (n,); those that coincide count as one part in a thousand
    apart."""
    partial = asked @ minus_two_known
    partial += squares
    count = min(NEAREST, partial.shape[1])
    # PyTorch's takes a sixth of the time of NumPy's partition
    found = torch.from_numpy(partial).topk(count, largest=False).values.numpy()
    nearest = found + (asked**2).sum(1)[:, None]
    return np.sqrt(np.maximum(nearest, 1e-6)).mean(1)
