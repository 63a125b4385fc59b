"""What trained networks say about the crystals of a database, beside what is true."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ase_eqtensor.errors import DataError
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.pretrained import Model
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.dataset import TENSORS, Sample, loader, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.record import Record


@dataclass(frozen=True)
class Predictions:
    """One target of n crystals, arrays of first axis n.

    predicted, target: stiffness in Mandel form, eV/Å^3; (n, 3, 3) permittivities; K and G (n, 2)
        in GPa ("moduli"); (n,) formation energies.
    constant: median of the training values of each crystal's fold; None without training values.
    """

    records: list[Record]
    predicted: np.ndarray
    target: np.ndarray
    constant: np.ndarray | None = None


def outputs(network: TensorNetwork, samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Outputs of the network for n crystals, and "moduli", K and G (n, 2) in GPa."""
    parts = []
    with torch.inference_mode():
        for batch in loader(samples, 64):
            result = network(batch.graph)
            k_and_g = hill_average(result["stiffness"], result["compliance"])
            result["moduli"] = torch.stack(k_and_g, dim=1) / GPA
            parts.append({k: v.cpu().numpy() for k, v in result.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compare(network: TensorNetwork, samples: Sequence[Sample]) -> dict[str, Predictions]:
    """Predictions for every output of the network that some of the crystals have a target for."""
    predicted, out = outputs(network, samples), {}
    for name in dict.fromkeys(name for s in samples for name in s.targets):
        chosen = [i for i, s in enumerate(samples) if name in s.targets]
        target = np.stack([samples[i].targets[name] for i in chosen])
        records = [samples[i].record for i in chosen]
        out[name] = Predictions(records, predicted[name][chosen], target)
    return out


def out_of_fold(model: Model, records: Sequence[Record], part: str) -> dict[str, Predictions]:
    """Predictions for the val or test part of every fold that members of the model left out, by
    those members; keys are outputs of the network. Raises DataError if the part is empty."""
    datasets = model.card["recipe"]["datasets"]
    known = [r for r in records if TENSORS.keys() & r.targets.keys() or r.dataset in datasets]
    collected: dict[str, list[Predictions]] = {}
    for fold in model.folds:
        parts = split(known, fold)
        if not getattr(parts, part):
            raise DataError(f"no crystal to score is in the {part} part of fold {fold}")
        samples = prepare(getattr(parts, part), model.network.architecture.cutoff)
        network = select(model.network, model.members_without(fold))
        trained = [Sample(record, None).targets for record in parts.train]
        for name, found in compare(network, samples).items():
            if values := [t[name] for t in trained if name in t]:
                middle = np.broadcast_to(np.median(values, axis=0), found.target.shape)
                found = replace(found, constant=middle)
            collected.setdefault(name, []).append(found)
    return {name: _joined(parts) for name, parts in collected.items()}


def _joined(parts: list[Predictions]) -> Predictions:
    known = all(part.constant is not None for part in parts)
    return Predictions(
        [record for part in parts for record in part.records],
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.target for part in parts]),
        np.concatenate([part.constant for part in parts]) if known else None,
    )
