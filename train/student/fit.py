"""Teaching a student what an ensemble says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import NamedTuple, cast

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset

from ase_eqtensor.crystal.graph import CrystalGraph, GraphBatch, collate
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.quantities import heads
from ase_eqtensor.train.fitting.fit import descend
from ase_eqtensor.train.fitting.module import TensorModule
from ase_eqtensor.train.fitting.samples import Sample, loader
from ase_eqtensor.train.recipes.recipe import Recipe

AT_ONCE = 64  # crystals that the ensemble reads together
OUTLIER = 0.1  # relative deviation from which on it counts linearly


class Lesson(NamedTuple):
    """A crystal and what is taught of it: head -> (*head.form.shape), mean over all networks."""

    graph: CrystalGraph
    arrays: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Lessons:
    """Several crystals: `arrays` are head -> (B, *head.form.shape)."""

    graph: GraphBatch
    arrays: Mapping[str, torch.Tensor]

    def to(self, device) -> "Lessons":
        arrays = {name: values.to(device) for name, values in self.arrays.items()}
        return Lessons(self.graph.to(device), arrays)


class StudentModule(TensorModule):
    """A network of one member that is taught by an ensemble, and validated on what is true.

    sizes: head -> norm of its arrays in units of which deviations count; those of logarithms are
        relative ones as they are. Heads that it lacks are not taught.
    """

    def __init__(
        self, network: TensorNetwork, recipe: Recipe, steps: int, sizes: Mapping[str, float]
    ):
        super().__init__(network, recipe, steps)
        self.sizes = dict(sizes)

    def training_step(self, batch: Lessons, _) -> torch.Tensor:  # type: ignore[override]
        """The sum over heads of the deviations from the ensemble, a number ()."""
        said = self.network.read(batch.graph).arrays
        total = torch.zeros((), device=self.device)
        for name, size in self.sizes.items():
            form = heads()[name].form
            deviation = said[name][0] - batch.arrays[name]
            if form.odd:  # where symmetry forbids it, there is nothing to learn
                deviation = deviation[batch.graph.odd]
            relative = deviation.reshape(-1, prod(form.shape)).norm(dim=1) / size
            loss = (relative**2 + OUTLIER**2).sqrt() - OUTLIER
            mean = loss.sum() / len(batch.graph.size)
            self.log(f"train_{name}", mean, on_step=False, on_epoch=True, batch_size=len(loss))
            total = total + mean
        return total


def lessons(teachers: Sequence[TensorNetwork], graphs: Sequence[CrystalGraph]) -> list[Lesson]:
    """What `teachers` say of crystals, each of their members with one voice."""
    taught = []
    with torch.inference_mode():
        for start in range(0, len(graphs), AT_ONCE):
            some = graphs[start : start + AT_ONCE]
            batch = collate(some)
            said = [teacher.read(batch).arrays for teacher in teachers]
            arrays = {n: torch.cat([one[n] for one in said]).mean(0).float() for n in said[0]}
            taught += [
                Lesson(graph, {name: values[i].clone() for name, values in arrays.items()})
                for i, graph in enumerate(some)
            ]
    return taught


def fit_student(
    first: TensorNetwork,
    taught: Sequence[Lesson],
    val: Sequence[Sample],
    recipe: Recipe,
    folder: Path,
    progress: bool = True,
) -> TensorNetwork:
    """The student that `taught` makes of the network `first`, of one member.

    folder: receives checkpoints and logs, see `fit`; an interrupted training there goes on.
    """
    L.seed_everything(recipe.seed, verbose=False)
    network = select(first, [0]).requires_grad_(True).train()
    network.rest.requires_grad_(False)  # it is taught by crystals at rest
    order = torch.Generator().manual_seed(recipe.seed)
    batches: DataLoader = DataLoader(
        cast(Dataset[Lesson], taught),
        recipe.batch_size,
        shuffle=True,
        generator=order,
        collate_fn=_collate,
    )
    module = StudentModule(network, recipe, len(batches) * recipe.epochs, _sizes(taught))
    descend(module, batches, loader(val, 64), folder, resume=True, progress=progress)
    return module.network.eval().requires_grad_(False)


def _sizes(taught: Sequence[Lesson]) -> dict[str, float]:
    """Head -> median norm of its arrays, of those that are no logarithms; heads that symmetry
    forbids in all crystals are left out."""
    sizes = {}
    for name in taught[0].arrays:
        head = heads()[name]
        norms = [one.arrays[name].norm() for one in taught if one.graph.odd or not head.form.odd]
        if norms:
            sizes[name] = 1.0 if head.logarithm else float(torch.stack(norms).median())
    return sizes


def _collate(some: Sequence[Lesson]) -> Lessons:
    arrays = {n: torch.stack([lesson.arrays[n] for lesson in some]) for n in some[0].arrays}
    return Lessons(collate([lesson.graph for lesson in some]), arrays)
