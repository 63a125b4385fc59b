"""Teaching a network that knows no tensor what a potential says of atoms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, cast

import lightning as L
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ase_eqtensor.crystal.graph import CrystalGraph, GraphBatch, collate, order_in_batch
from ase_eqtensor.network.convolution import blocks_by_l
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.tensors.irreps import parse_irreps
from ase_eqtensor.train.fitting.fit import descend
from ase_eqtensor.train.fitting.module import TensorModule
from ase_eqtensor.train.pretraining.features import Features
from ase_eqtensor.train.recipes.recipe import Recipe

SCALARS, TENSORS = 96, 24  # combinations of the potential's features that are learnt
HIDDEN = 128  # width of what makes them of the network's scalars
FARTHEST = 5.0  # standard deviations, beyond which a feature is an outlier
SAMPLE = 6000  # crystals from which the combinations are found, at most
TRUNK = ("element.", "layers.")  # parts of the network that learn, and are the beginning of others


class Lesson(NamedTuple):
    """A crystal of P atoms and what is to be said of them: (P, SCALARS) and (P, 5, TENSORS)."""

    graph: CrystalGraph
    scalars: torch.Tensor
    tensors: torch.Tensor


@dataclass(frozen=True)
class Lessons:
    """Several crystals, atoms in the order of the batch."""

    graph: GraphBatch
    scalars: torch.Tensor
    tensors: torch.Tensor

    def to(self, device) -> "Lessons":
        told = (self.scalars.to(device), self.tensors.to(device))
        return Lessons(self.graph.to(device), *told)


class Combinations(NamedTuple):
    """Uncorrelated combinations of features, of falling variance.

    middle, width: (S,) of the scalars. axes: (S, SCALARS) of scalars in units of the width, and
    (C, TENSORS) of tensors. spread: their standard deviations.
    """

    middle: np.ndarray
    width: np.ndarray
    axes: tuple[np.ndarray, np.ndarray]
    spread: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, told: Sequence[Features]) -> "Combinations":
        scalars = np.concatenate([one.scalars for one in told]).astype(float)
        tensors = np.concatenate([one.tensors for one in told]).astype(float)
        middle = scalars.mean(0)
        width = np.quantile(np.abs(scalars - middle), 0.8, axis=0) + 1e-3
        scaled = np.clip((scalars - middle) / width, -FARTHEST, FARTHEST)
        squares = scaled.T @ scaled / len(scaled)
        products = np.einsum("ncm,ndm->cd", tensors, tensors) / tensors[:, 0].size
        (one, first), (two, second) = _principal(squares, SCALARS), _principal(products, TENSORS)
        return cls(middle, width, (first, second), (one**0.5, two**0.5))

    def apply(self, told: Features) -> tuple[torch.Tensor, torch.Tensor]:
        """(P, SCALARS) and (P, 5, TENSORS), both in units of their spread."""
        scaled = np.clip((told.scalars - self.middle) / self.width, -FARTHEST, FARTHEST)
        scalars = scaled @ self.axes[0] / self.spread[0]
        tensors = np.einsum("ncm,cd->nmd", told.tensors.astype(float), self.axes[1])
        tensors = np.clip(tensors / self.spread[1], -FARTHEST, FARTHEST)
        return torch.from_numpy(scalars).float(), torch.from_numpy(tensors).float()

    @property
    def weights(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the combinations in the loss, in sum 1 each."""
        shares = (spread / spread.sum() for spread in self.spread)
        scalars, tensors = (torch.from_numpy(share).float() for share in shares)
        return scalars, tensors


class PretrainingModule(TensorModule):
    """A `TensorNetwork` whose last layer learns a potential's features, through a perceptron for
    scalars and linearly for tensors; these two are thrown away."""

    def __init__(
        self, network: TensorNetwork, recipe: Recipe, steps: int, combinations: Combinations
    ):
        super().__init__(network, recipe, steps)
        self.last = parse_irreps(network.architecture.output)
        width = self.last[0]
        self.linear = nn.Linear(width, SCALARS)
        self.curved = nn.Sequential(nn.Linear(width, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, SCALARS))
        self.mixed = nn.Linear(self.last[2], TENSORS, bias=False)
        self.weights = combinations.weights

    def errors(self, batch: Lessons) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean squared errors of scalars and tensors, 1 of what knows nothing."""
        features = self.network.layers[-1](*self.network.incoming(batch.graph))
        blocks = blocks_by_l(features, self.last, 1)
        scalars = self.linear(blocks[0][:, 0]) + self.curved(blocks[0][:, 0]) - batch.scalars
        tensors = self.mixed(blocks[2]) - batch.tensors
        first, second = (weights.to(scalars.device) for weights in self.weights)
        return (scalars**2 @ first).mean(), (tensors**2 @ second).mean()

    def training_step(self, batch: Lessons, _) -> torch.Tensor:  # type: ignore[override]
        return torch.stack(self.errors(batch)).sum()

    def validation_step(self, batch: Lessons, _) -> None:  # type: ignore[override]
        for name, error in zip(("scalars", "tensors"), self.errors(batch)):
            self.log(f"val_{name}", error, batch_size=len(batch.graph.size))

    def on_validation_epoch_end(self) -> None:
        """Nothing is scored as tensors are."""


def fit_trunk(
    graphs: Sequence[CrystalGraph],
    told: Sequence[Features],
    recipe: Recipe,
    folder: Path,
    progress: bool = True,
) -> dict[str, torch.Tensor]:
    """Weights of the layers that `told` makes of crystals, one in twenty of which validates.

    folder: receives checkpoints and logs, see `fit`; an interrupted training there goes on.
    """
    L.seed_everything(recipe.seed, verbose=False)
    combinations = Combinations.of(told[:: len(told) // SAMPLE + 1])
    taught = [Lesson(g, *combinations.apply(one)) for g, one in zip(graphs, told, strict=True)]
    val = taught[::20]
    train = [lesson for i, lesson in enumerate(taught) if i % 20]
    network = TensorNetwork(replace(recipe.network, densities=False))
    order = torch.Generator().manual_seed(recipe.seed)
    batches = _loader(train, recipe.batch_size, shuffle=True, generator=order)
    module = PretrainingModule(network, recipe, len(batches) * recipe.epochs, combinations)
    descend(module, batches, _loader(val, 64), folder, resume=True, progress=progress)
    state = module.network.state_dict()
    return {name: w.contiguous() for name, w in state.items() if name.startswith(TRUNK)}


def _loader(lessons: Sequence[Lesson], batch_size: int, **options) -> DataLoader:
    return DataLoader(cast(Dataset[Lesson], lessons), batch_size, collate_fn=_collate, **options)


def _collate(some: Sequence[Lesson]) -> Lessons:
    degrees = np.concatenate([lesson.graph.degree for lesson in some])
    order = torch.from_numpy(order_in_batch(degrees))
    scalars, tensors = (torch.cat(parts)[order] for parts in list(zip(*some))[1:])
    return Lessons(collate([lesson.graph for lesson in some]), scalars, tensors)


def _principal(squares: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest eigenvalues (count,) of mean squares (n, n), falling, and their vectors (n, count).

    The smallest are raised to a millionth of the first: what does not vary is rounding.
    """
    values, vectors = np.linalg.eigh(squares)
    return np.maximum(values, 1e-6 * values[-1])[::-1][:count], vectors[:, ::-1][:, :count]
