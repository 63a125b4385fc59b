"""What trained networks say about the crystals of a database, beside what is true."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ase_eqtensor.errors import DataError
from ase_eqtensor.models.features import Told, error_features
from ase_eqtensor.models.fingerprints import Fingerprints
from ase_eqtensor.models.store import Model, held_out
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.model import Reading, TensorNetwork
from ase_eqtensor.quantities import Density
from ase_eqtensor.train.fitting.samples import (
    Sample,
    element_counts,
    loader,
    prepare,
    target_values,
)
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets import DATASETS, targets


@dataclass(frozen=True)
class Predictions:
    """One target of n crystals, arrays of first axis n.

    predicted, target: values of the target (n, ...), see train/targets/: the network's arrays of a
        tensor, K and G (n, 2) in GPa, formation energies (n,).
    features: what the scale of the error may depend on, see `error_features`.
    constant: median of the training values of each crystal's fold; None without training values.
    """

    records: list[Record]
    predicted: np.ndarray
    target: np.ndarray
    features: dict[str, np.ndarray] = field(default_factory=dict)
    constant: np.ndarray | None = None

    def rows(self, chosen: Sequence[int] | np.ndarray) -> "Predictions":
        """Some of the crystals, by their indices (m,)."""
        return Predictions(
            [self.records[i] for i in chosen],
            self.predicted[chosen],
            self.target[chosen],
            {name: values[chosen] for name, values in self.features.items()},
            None if self.constant is None else self.constant[chosen],
        )

    @property
    def density(self) -> Density:
        """Densities (n,) of the crystals."""
        return Density.of([record.atoms for record in self.records])

    def of_fold(self, fold: int) -> "Predictions":
        """The crystals of a fold."""
        return self.rows([i for i, record in enumerate(self.records) if record.fold == fold])


def compare(
    network: TensorNetwork,
    samples: Sequence[Sample],
    trained: Iterable[Record] | None = None,
    fingerprints: Fingerprints | None = None,
) -> dict[str, Predictions]:
    """Target -> predictions, for every target that some of the crystals have and the network knows.

    `trained` are the training records of the network, all members of which left out the same fold;
    with them come features of the errors, and the trivial answer. `fingerprints` are those of the
    same members.
    """
    features: dict[str, np.ndarray] = {}
    middles: dict[str, np.ndarray] = {}
    if trained is None:
        tensors = read(network, samples)[1]
    else:
        trained = list(trained)
        told, features = described(network, samples, trained, fingerprints)
        tensors = {name: torch.from_numpy(values) for name, values in told.tensors.items()}
        middles = _medians(trained)
    predicted = {
        name: target.predicted(tensors).numpy()
        for name, target in targets().items()
        if target.quantity.name in tensors
    }
    predictions = {}
    for name in dict.fromkeys(name for s in samples for name in s.values if name in predicted):
        chosen = [i for i, sample in enumerate(samples) if name in sample.values]
        said = predicted[name][chosen]
        known = np.stack([samples[i].values[name] for i in chosen])
        true = targets()[name].meant(known, said)
        predictions[name] = Predictions(
            [samples[i].record for i in chosen],
            said,
            true,
            {feature: values[chosen] for feature, values in features.items()},
            np.broadcast_to(middles[name], true.shape) if name in middles else None,
        )
    return predictions


def described(
    network: TensorNetwork,
    samples: Sequence[Sample],
    trained: Sequence[Record],
    fingerprints: Fingerprints | None,
) -> tuple[Told, dict[str, np.ndarray]]:
    """What the network says of n crystals, and features of the errors, each (n,); arguments as of
    `compare`."""
    reading, tensors = read(network, samples)
    atoms = [sample.record.atoms for sample in samples]
    told = Told.of(
        reading,
        [0] * network.architecture.members,
        [a.numbers for a in atoms],
        [a.get_volume() for a in atoms],
        [sample.record.crystal_system for sample in samples],
        {name: values.numpy() for name, values in tensors.items()},
        fingerprints,
    )
    return told, error_features(told, element_counts(trained))


def _medians(records: Iterable[Record]) -> dict[str, np.ndarray]:
    """Target -> median of its values in the records."""
    values: dict[str, list[np.ndarray]] = {}
    for record in records:
        for name, value in target_values(record).items():
            values.setdefault(name, []).append(value)
    meant = {name: targets()[name].meant(np.stack(column)) for name, column in values.items()}
    return {name: np.median(column, axis=0) for name, column in meant.items()}


def read(
    network: TensorNetwork, samples: Sequence[Sample]
) -> tuple[Reading, dict[str, torch.Tensor]]:
    """What the network says of n crystals, and the tensors that follow: quantity ->
    (n, *form.shape)."""
    readings: list[Reading] = []
    tensors: dict[str, list[torch.Tensor]] = {}
    with torch.inference_mode():
        for batch in loader(samples, 64):
            readings.append(network.read(batch.graph))
            means = {name: array.mean(0) for name, array in readings[-1].arrays.items()}
            for name, value in network.tensors(means, batch.graph.polar).items():
                tensors.setdefault(name, []).append(value)
    strains = [r.strain for r in readings if r.strain is not None]
    reading = Reading(
        {name: torch.cat([r.arrays[name] for r in readings], 1) for name in readings[0].arrays},
        torch.cat([r.invariants for r in readings], 1),
        torch.cat(strains, 1) if strains else None,
    )
    return reading, {name: torch.cat(parts) for name, parts in tensors.items()}


def out_of_fold(
    model: Model,
    records: Sequence[Record],
    part: str = "test",
    fingerprints: Fingerprints | None = None,
) -> dict[str, Predictions]:
    """Predictions for the val or test part of every fold that members of the model left out, by
    those members; keys are targets.

    Tensors are predicted always, other targets if the model was trained on their data set.
    `fingerprints`, of all members, tell how far the crystals are from what a member learnt.

    Of a student it is those by the students of each fold.

    Raises DataError if the part is empty.
    """
    model = held_out(model)
    datasets = model.card.recipe["datasets"]
    scored = [r for r in records if r.dataset in datasets or DATASETS[r.dataset].holds_tensors]
    collected: dict[str, list[Predictions]] = {}
    for fold in model.folds:
        parts = split(scored, fold)
        if not getattr(parts, part):
            raise DataError(f"no crystal to score is in the {part} part of fold {fold}")
        samples = prepare(getattr(parts, part), model.network.architecture.cutoff)
        members = model.members_without(fold)
        trained = [r for r in parts.train if r.dataset in datasets]
        own = fingerprints and fingerprints.select(members)
        for name, predictions in compare(
            select(model.network, members), samples, trained, own
        ).items():
            collected.setdefault(name, []).append(predictions)
    return {name: _joined(parts) for name, parts in collected.items()}


def common_columns(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays by name of several groups of crystals as one, those that all groups have: a fold that
    one member left out has no spread."""
    common = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in common}


def _joined(parts: list[Predictions]) -> Predictions:
    constants = [part.constant for part in parts if part.constant is not None]
    return Predictions(
        [record for part in parts for record in part.records],
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.target for part in parts]),
        common_columns([part.features for part in parts]),
        np.concatenate(constants) if len(constants) == len(parts) else None,
    )
