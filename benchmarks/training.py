"""Throughput of training steps, against the same network with e3nn's tensor product."""

from functools import partial
from pathlib import Path

import torch
from reference import reference_network
from timing import Row, alternating

from ase_eqtensor.models.store import Model
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.samples import Batch, prepare, training_loader
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.targets import targets

BATCHES, CRYSTALS, REPEATS = 6, 32, 7


def training_rows(model: Model, database: Path) -> list[Row]:
    """Steps (forward, losses, backward, optimiser) on batches of training tensors, one thread."""
    records = split(read_database(database, ["elastic", "dielectric"]), 0).train
    samples = prepare(records[:: len(records) // (BATCHES * CRYSTALS)], _cutoff(model))
    batches = list(training_loader(samples, CRYSTALS, seed=0))[:BATCHES]
    edges = sum(int(b.graph.vector.norm(dim=1).lt(_cutoff(model)).sum()) for b in batches)
    crystals = sum(len(b.graph.size) for b in batches)

    torch.manual_seed(0)
    fast = TensorNetwork(select(model.network, [0]).architecture)  # members are trained singly
    runs = [partial(_epoch, net, _adamw(net), batches) for net in (fast, reference_network(fast))]
    for run in runs * 2:  # e3nn's code is compiled in its first calls
        run()
    times = alternating(REPEATS, *runs)
    rows = []
    for name, t in zip(("this package", "e3nn TensorProduct"), times):
        rows.append(Row("training step", f"{name}", edges / t, "edges/s"))
        rows.append(Row("training step", f"{name}", crystals / t, "crystals/s"))
    return [*rows, Row("training step", "ratio", times[1] / times[0])]


def _cutoff(model: Model) -> float:
    return model.network.architecture.cutoff


def _adamw(network: TensorNetwork) -> torch.optim.Optimizer:
    return torch.optim.AdamW(network.parameters(), 1e-4, fused=True)


def _epoch(network: TensorNetwork, optimizer: torch.optim.Optimizer, batches: list[Batch]) -> None:
    for batch in batches:
        optimizer.zero_grad()
        _loss(network(batch.graph), batch).backward()
        optimizer.step()


def _loss(outputs: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
    """Sum of the losses of all targets in the batch, without their weights."""
    losses = []
    for name, (index, value) in batch.targets.items():
        target = targets()[name]
        predicted = target.predicted(outputs)[index]
        losses.append(target.loss(predicted, value, Recipe().anisotropy))
    return torch.stack(losses).sum()
