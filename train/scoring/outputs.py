"""What trained networks say about the crystals of a database, beside what is true."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ase_eqtensor.errors import DataError
from ase_eqtensor.models.store import Model
from ase_eqtensor.models.uncertainty import features
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.properties import TENSOR_HEADS
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.fitting.samples import TENSORS, Sample, element_counts, loader, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.record import Record


@dataclass(frozen=True)
class Predictions:
    """One target of n crystals, arrays of first axis n.

    predicted, target: stiffness in Mandel form, eV/Å^3; (n, 3, 3) permittivities; K and G (n, 2)
        in GPa ("moduli"); (n,) formation energies.
    features: what the scale of the error may depend on (ase_eqtensor/uncertainty.py).
    constant: median of the training values of each crystal's fold; None without training values.
    """

    records: list[Record]
    predicted: np.ndarray
    target: np.ndarray
    features: dict[str, np.ndarray] = field(default_factory=dict)
    constant: np.ndarray | None = None

    def rows(self, chosen: Sequence[int] | np.ndarray) -> "Predictions":
        """Some of the crystals, by index."""
        return Predictions(
            [self.records[i] for i in chosen],
            self.predicted[chosen],
            self.target[chosen],
            {name: values[chosen] for name, values in self.features.items()},
            None if self.constant is None else self.constant[chosen],
        )

    def of_fold(self, fold: int) -> "Predictions":
        return self.rows([i for i, record in enumerate(self.records) if record.fold == fold])


def compare(
    network: TensorNetwork,
    samples: Sequence[Sample],
    counts: dict[str, dict[int, int]] | None = None,
) -> dict[str, Predictions]:
    """Predictions for every output of the network that some of the crystals have a target for.

    `counts`, see `element_counts`, is that of the training data of the network, all members of
    which left out the same fold; without it there are no features.
    """
    log, predicted = _outputs(network, samples)
    known: dict[str, np.ndarray] = {}
    if counts is not None:
        atoms = [sample.record.atoms for sample in samples]
        cells = [a.numbers for a in atoms], [a.get_volume() for a in atoms]
        known = features(log, [0] * network.architecture.members, *cells, counts)
    everything, out = range(len(samples)), {}
    for name in dict.fromkeys(name for s in samples for name in s.targets):
        chosen = [i for i in everything if name in samples[i].targets]
        target = np.stack([samples[i].targets[name] for i in chosen])
        records = [samples[i].record for i in chosen]
        own = {feature: values[chosen] for feature, values in known.items()}
        out[name] = Predictions(records, predicted[name][chosen], target, own)
    return out


def _outputs(network: TensorNetwork, samples: Sequence[Sample]) -> tuple[dict, dict]:
    """Logarithms of the members, head -> (M, n, ...), and outputs of the network for n crystals,
    with K and G (n, 2) in GPa as "moduli"."""
    logs, results = [], []
    with torch.inference_mode():
        for batch in loader(samples, 64):
            log = network.logarithms(batch.graph)
            result = network.tensors({name: value.mean(0) for name, value in log.items()})
            k_and_g = hill_average(result["stiffness"], result["compliance"])
            result["moduli"] = torch.stack(k_and_g, dim=1) / GPA
            logs.append({name: log[name] for name in TENSOR_HEADS})
            results.append(result)
    log = {name: torch.cat([one[name] for one in logs], 1).numpy() for name in logs[0]}
    result = {name: torch.cat([one[name] for one in results]).numpy() for name in results[0]}
    return log, result


def out_of_fold(
    model: Model, records: Sequence[Record], part: str = "test"
) -> dict[str, Predictions]:
    """Predictions for the val or test part of every fold that members of the model left out, by
    those members; keys are outputs of the network.

    Tensors are predicted always, other targets if the model was trained on their data set. Raises
    DataError if the part is empty.
    """
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
        counts = element_counts([r for r in parts.train if r.dataset in datasets])
        for name, found in compare(network, samples, counts).items():
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
        {name: np.concatenate([p.features[name] for p in parts]) for name in parts[0].features},
        np.concatenate([part.constant for part in parts]) if known else None,
    )
