"""Teaching the branch of one network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset

from ase_eqtensor.crystal.graph import GraphBatch
from ase_eqtensor.errors import DataError
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.train.branch.branch import Branch
from ase_eqtensor.train.branch.pooled import Pooled
from ase_eqtensor.train.fitting.fit import descend
from ase_eqtensor.train.fitting.module import TensorModule
from ase_eqtensor.train.fitting.samples import Batch, Sample, batched_targets
from ase_eqtensor.train.fitting.start import trained_heads
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.targets import DATASETS


@dataclass(frozen=True)
class PooledSample:
    """A crystal with its targets, as the branch reads it."""

    sample: Sample
    pooled: Pooled


def branched(network: TensorNetwork, recipe: Recipe) -> TensorNetwork:
    """A network of one member with the heads that a recipe's data teach beside its own, drawn with
    torch's generator; everything else is that of `network`."""
    taught = [target for name in recipe.datasets for target in DATASETS[name].targets]
    wanted = [*network.architecture.heads, *trained_heads(taught)]
    architecture = replace(network.architecture, heads=wanted, odd=recipe.network.odd)
    made = TensorNetwork(architecture)
    made.load_state_dict(made.state_dict() | network.state_dict())
    return made


def fit_branch(
    network: TensorNetwork,
    train: Sequence[Sample],
    val: Sequence[Sample],
    recipe: Recipe,
    folder: Path,
    progress: bool = True,
) -> TensorNetwork:
    """`network` with a branch that was taught on its features by `train`.

    folder: receives checkpoints and logs, see `fit`.

    Raises DataError for a recipe that changes crystals in every step.
    """
    if recipe.noise or recipe.class_dropout:
        raise DataError(
            f"noise = {recipe.noise}, class_dropout = {recipe.class_dropout}: the features that a "
            "branch reads are computed once, so both must be 0 in its recipe"
        )
    L.seed_everything(recipe.seed, verbose=False)
    whole = branched(network, recipe)
    order = torch.Generator().manual_seed(recipe.seed)
    batches: DataLoader = DataLoader(
        _pooled(whole, train),
        recipe.batch_size,
        shuffle=True,
        generator=order,
        collate_fn=_collate,
    )
    validation: DataLoader = DataLoader(_pooled(whole, val), 64, collate_fn=_collate)
    branch = cast(TensorNetwork, Branch(whole))  # whose place it takes
    module = TensorModule(branch, recipe, steps=len(batches) * recipe.epochs)
    descend(module, batches, validation, folder, progress=progress)
    return whole.eval().requires_grad_(False)


def _pooled(network: TensorNetwork, samples: Sequence[Sample]) -> Dataset[PooledSample]:
    pooled = [PooledSample(sample, Pooled.of(network, sample.graph)) for sample in samples]
    return cast(Dataset[PooledSample], pooled)


def _collate(samples: Sequence[PooledSample]) -> Batch:
    pooled = Pooled.joined([one.pooled for one in samples])
    return Batch(cast(GraphBatch, pooled), batched_targets([one.sample for one in samples]))
