"""Crystals of the database as graphs with targets, and batches of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler

from ase_eqtensor.crystal.graph import CrystalGraph, GraphBatch, build_graph, collate
from ase_eqtensor.crystal.symmetry import analyse, primitive
from ase_eqtensor.errors import DataError, StructureError
from ase_eqtensor.models.training_crystals import TrainingCrystal
from ase_eqtensor.tensors.notation import voigt_to_mandel
from ase_eqtensor.train.data.curation import EPS_NOISE
from ase_eqtensor.train.record import Record

TENSORS = {  # target in the database -> output of the network
    "elasticity_tensor": "stiffness",
    "electronic_dielectric_tensor": "electronic",
    "dielectric_tensor": "dielectric",
}

# Elemental semiconductors have no ionic part, and zero has no logarithm. Curation takes this much
# permittivity for noise, so less than it means "none".
IONIC_FLOOR = EPS_NOISE


def supervised_output(target: str) -> str:
    """The output of the network that a target trains: K and G are functions of the stiffness."""
    return "stiffness" if target == "moduli" else target


@dataclass(frozen=True)
class Sample:
    """A record and the graph of its primitive cell in the same frame (None where not needed)."""

    record: Record
    graph: CrystalGraph | None

    @property
    def targets(self) -> dict[str, np.ndarray]:
        """Targets by the network's names: stiffness as Mandel matrix in eV/Å^3, moduli (2,) GPa."""
        known = self.record.targets
        out = {new: np.asarray(known[old]) for old, new in TENSORS.items() if old in known}
        if "stiffness" in out:
            out["stiffness"] = voigt_to_mandel(out["stiffness"])
        elif "k_vrh_gpa" in known:
            out["moduli"] = np.array([known["k_vrh_gpa"], known["g_vrh_gpa"]])
        if "formation_energy" in known:
            out["formation_energy"] = np.asarray(known["formation_energy"])
        return out


@dataclass(frozen=True)
class Batch:
    """A graph batch with targets; `targets[name]` is (which crystals, their values)."""

    graph: GraphBatch
    targets: dict[str, tuple[torch.Tensor, torch.Tensor]]

    def to(self, device) -> "Batch":
        moved = {n: (i.to(device), v.to(device)) for n, (i, v) in self.targets.items()}
        return Batch(self.graph.to(device), moved)


def prepare(records: Sequence[Record], cutoff: float) -> list[Sample]:
    """Symmetry and graph of every record, in parallel on all cores.

    Raises DataError, naming the record, if an atom has no neighbour within `cutoff` Å.
    """
    graphs = joblib.Parallel(n_jobs=-1, batch_size=64)(
        joblib.delayed(_graph)(record, cutoff) for record in records
    )
    return [Sample(record, graph) for record, graph in zip(records, graphs)]


def _graph(record: Record, cutoff: float) -> CrystalGraph:
    symmetry = analyse(record.atoms)
    cell = primitive(record.atoms, symmetry)
    try:
        return build_graph(cell, cutoff, symmetry.site_class[symmetry.primitive_index])
    except StructureError as error:
        raise DataError(
            f"{record.dataset} {record.source_id}: {error} Otherwise choose a larger cutoff in the "
            "recipe, or leave the crystal out of the database."
        ) from error


def collate_samples(samples: Sequence[Sample]) -> Batch:
    """Join samples; crystals without a target are simply not in that target's index."""
    targets = {}
    every = [sample.targets for sample in samples]
    for name in sorted({name for one in every for name in one}):
        index = [i for i, one in enumerate(every) if name in one]
        values = np.stack([every[i][name] for i in index])
        targets[name] = torch.tensor(index), torch.from_numpy(values).double()
    return Batch(collate([sample.graph for sample in samples]), targets)


class SharedBatches(BatchSampler):
    """Batches of about `batch_size` crystals, none much smaller than another; in a parallel run
    each process gets its share of every batch, with about as many edges as the others.

    The order depends on seed and epoch alone, so that a resumed run sees what an uninterrupted one
    would have seen, and a parallel run the batches of a serial one.
    """

    def __init__(self, samples: Sequence[Sample], batch_size: int, seed: int):
        # one replica: its permutation is drawn from seed and epoch alone, not from the state of
        # torch's generator, and lightning calls its set_epoch, when resuming, too
        order = DistributedSampler(samples, 1, 0, seed=10_000 * seed)  # it adds the epoch
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
    return DataLoader(samples, batch_size, collate_fn=collate_samples)


def training_loader(samples: Sequence[Sample], batch_size: int, seed: int) -> DataLoader:
    """Batches for training, see `SharedBatches`."""
    batches = SharedBatches(samples, batch_size, seed)
    return DataLoader(samples, batch_sampler=batches, collate_fn=collate_samples)


def references(samples: Sequence[Sample]) -> dict[str, list[list[float]]]:
    """Isotropic components about which each tensor's logarithm varies: medians over the data.

    These go into the architecture, so that a prediction never depends on a user's data set.
    """
    volume = {"stiffness": [], "electronic": [], "ionic": [], "formation_energy": []}
    for sample in samples:
        t = sample.targets
        if "stiffness" in t:
            c = t["stiffness"]
            k3 = c[:3, :3].sum() / 3
            volume["stiffness"].append([k3, (np.trace(c) - k3) / 5])
        if "electronic" in t:
            volume["electronic"].append([np.trace(t["electronic"]) / 3 - 1])
        if "electronic" in t and "dielectric" in t:
            ionic = np.trace(t["dielectric"] - t["electronic"]) / 3
            volume["ionic"].append([max(ionic, IONIC_FLOOR)])
        if "formation_energy" in t:
            volume["formation_energy"].append([t["formation_energy"]])
    factor = {"stiffness": np.array([1, 5**0.5]), "electronic": 3**0.5, "ionic": 3**0.5}
    out = {}
    for name, values in volume.items():
        if values:
            middle = np.median(np.array(values, dtype=float), axis=0)
            out[name] = [(np.log(middle) * factor[name] if name in factor else middle).tolist()]
    return out


def element_counts(records: Sequence[Record]) -> dict[str, dict[int, int]]:
    """For every output of the network, how many of the records that supervise it hold each atomic
    number."""
    counts: dict[str, Counter] = {}
    for record in records:
        for target in Sample(record, None).targets:
            output = supervised_output(target)
            counts.setdefault(output, Counter()).update(set(record.atoms.numbers.tolist()))
    return {output: dict(sorted(count.items())) for output, count in counts.items()}


def training_crystals(records: Sequence[Record]) -> list[TrainingCrystal]:
    """What a model tells its users about its data: all rows but the quarantined ones, structures
    and values where they hold tensors."""
    crystals = []
    for r in records:
        tensors = {name: value for name, value in r.targets.items() if name in TENSORS}
        atoms = r.atoms if tensors else None
        if not r.quarantine:
            names = r.source_id, r.dataset, r.reduced_formula
            crystals.append(TrainingCrystal(*names, r.fold, atoms, tensors))
    return crystals
