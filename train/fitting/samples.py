"""Crystals of the database as graphs with targets, and batches of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import BatchSampler, DataLoader, Dataset, DistributedSampler

from ase_eqtensor.crystal.graph import CrystalGraph, GraphBatch, build_graph, collate
from ase_eqtensor.crystal.symmetry import analyse, primitive
from ase_eqtensor.errors import DataError, StructureError
from ase_eqtensor.models.training_crystals import TrainingCrystal
from ase_eqtensor.parallel import in_parallel
from ase_eqtensor.quantities import stored
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets import DATASETS, targets

GRAPHS = 64  # records per task of another process


@dataclass(frozen=True)
class Sample:
    """A record and the graph of its primitive cell in the same frame."""

    record: Record
    graph: CrystalGraph

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """What there is to learn: target -> its value (...), see `Target.value`."""
        return target_values(self.record)


def target_values(record: Record) -> dict[str, np.ndarray]:
    """Target -> its value (...), see `Target.value`, for those that a record has."""
    values = {name: target.value(record.targets) for name, target in targets().items()}
    return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Batch:
    """A graph batch with targets; `targets[name]` is (which crystals (k,), values (k, ...))."""

    graph: GraphBatch
    targets: dict[str, tuple[torch.Tensor, torch.Tensor]]

    def to(self, device) -> "Batch":
        moved = {n: (i.to(device), v.to(device)) for n, (i, v) in self.targets.items()}
        return Batch(self.graph.to(device), moved)


def prepare(records: Sequence[Record], cutoff: float, workers: int = -1) -> list[Sample]:
    """Symmetry and graph of every record, in `workers` processes (-1: one per core).

    Raises DataError, naming the record, if an atom has no neighbour within `cutoff` Å.
    """
    chunks = [(records[i : i + GRAPHS], cutoff) for i in range(0, len(records), GRAPHS)]
    return [sample for chunk in in_parallel(_prepare, chunks, workers) for sample in chunk]


def _prepare(records: Sequence[Record], cutoff: float) -> list[Sample]:
    return [Sample(record, _graph(record, cutoff)) for record in records]


def _graph(record: Record, cutoff: float) -> CrystalGraph:
    symmetry = analyse(record.atoms)
    cell = primitive(record.atoms, symmetry)
    try:
        site_class = symmetry.site_class[symmetry.primitive_index]
        return build_graph(cell, cutoff, site_class, symmetry.polar)
    except StructureError as error:
        raise DataError(
            f"{record.dataset} {record.source_id}: {error} Otherwise choose a larger cutoff in the "
            "recipe, or leave the crystal out of the database."
        ) from error


def collate_samples(samples: Sequence[Sample]) -> Batch:
    """Join samples."""
    return Batch(collate([sample.graph for sample in samples]), batched_targets(samples))


def batched_targets(samples: Sequence[Sample]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The targets of `Batch`; crystals without a target are simply not in that target's index."""
    batched = {}
    for name in sorted({name for sample in samples for name in sample.values}):
        index = [i for i, sample in enumerate(samples) if name in sample.values]
        values = np.stack([samples[i].values[name] for i in index])
        batched[name] = torch.tensor(index), torch.from_numpy(values).double()
    return batched


class SharedBatches(BatchSampler):
    """Batches of about `batch_size` crystals, none much smaller than another; in a parallel run
    each process gets its share of every batch, with about as many edges as the others.

    The order depends on seed and epoch alone, so that a resumed run sees what an uninterrupted one
    would have seen, and a parallel run the batches of a serial one.
    """

    def __init__(self, samples: Sequence[Sample], batch_size: int, seed: int):
        data = _dataset(samples)
        # one replica: its permutation is drawn from seed plus epoch alone, not from the state of
        # torch's generator, and lightning calls its set_epoch, when resuming, too
        order: DistributedSampler[int] = DistributedSampler(data, 1, 0, seed=10_000 * seed)
        super().__init__(order, batch_size, drop_last=False)
        self.edges = [len(sample.graph.sender) for sample in samples]

    def __iter__(self) -> Iterator[list[int]]:
        parallel = dist.is_available() and dist.is_initialized()
        rank, processes = (dist.get_rank(), dist.get_world_size()) if parallel else (0, 1)
        for batch in np.array_split(list(self.sampler), len(self)):
            yield self._shares(batch.tolist(), processes)[rank]

    def _shares(self, batch: list[int], processes: int) -> list[list[int]]:
        """The batch in parts: from the largest crystal on, each to the part with fewest edges."""
        parts: list[list[int]] = [[] for _ in range(processes)]
        load = [0] * processes
        for i in sorted(batch, key=lambda i: -self.edges[i]):
            part = load.index(min(load))
            parts[part].append(i)
            load[part] += self.edges[i]
        return parts


def loader(samples: Sequence[Sample], batch_size: int) -> DataLoader:
    """Batches of `batch_size` crystals in the given order."""
    return DataLoader(_dataset(samples), batch_size, collate_fn=collate_samples)


def training_loader(samples: Sequence[Sample], batch_size: int, seed: int) -> DataLoader:
    """Batches for training, see `SharedBatches`."""
    batches = SharedBatches(samples, batch_size, seed)
    return DataLoader(_dataset(samples), batch_sampler=batches, collate_fn=collate_samples)


def _dataset(samples: Sequence[Sample]) -> Dataset[Sample]:
    """The samples themselves: torch takes any sequence, and its annotations a `Dataset` only."""
    return cast(Dataset[Sample], samples)


def element_counts(records: Sequence[Record]) -> dict[str, dict[int, int]]:
    """Quantity -> atomic number -> how many of the records that teach the quantity hold it; 0 where
    these are rows that a potential has taught, not data of their own."""
    counts: dict[str, Counter] = {}
    for record in records:
        own = int(not DATASETS[record.dataset].derived)
        for name in target_values(record):
            counter = counts.setdefault(targets()[name].quantity.name, Counter())
            counter.update(dict.fromkeys(record.atoms.numbers.tolist(), own))
    return {quantity: dict(sorted(count.items())) for quantity, count in counts.items()}


def training_crystals(records: Sequence[Record]) -> list[TrainingCrystal]:
    """What a model tells its users about its data: all rows but the quarantined and the derived
    ones, structures and values where they hold tensors."""
    crystals = []
    for r in records:
        tensors = {n: np.asarray(value) for n, value in r.targets.items() if n in stored()}
        atoms = r.atoms if tensors else None
        if not (r.quarantine or DATASETS[r.dataset].derived):
            names = r.source_id, r.dataset, r.reduced_formula
            crystals.append(TrainingCrystal(*names, r.fold, atoms, tensors))
    return crystals
