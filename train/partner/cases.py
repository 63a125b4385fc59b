"""Crystals of known tensors, and what networks that never saw them and a potential say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ase_eqtensor.errors import DataError
from ase_eqtensor.models.store import Model, held_out
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.potential.opinion import Opinion
from ase_eqtensor.train.fitting.samples import prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.outputs import common_columns, described

NOT_ASKED = "it was not asked"
Key = tuple[str, str]  # data set, identifier


@dataclass(frozen=True, eq=False)
class Cases:
    """n crystals; arrays of first axis n.

    said: the potential's opinions, or why it has none.
    tensors: quantity -> (n, *form.shape), what the networks say that left each crystal's fold out.
    features: of their errors, see `error_features`. strain: (n,), see `Reading`.
    """

    records: list[Record]
    said: list[Opinion | str]
    tensors: dict[str, np.ndarray]
    features: dict[str, np.ndarray]
    strain: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Cases":
        """Some of them, by their indices (m,) or a mask (n,)."""
        indices = np.arange(len(self.records))[chosen]
        return Cases(
            [self.records[i] for i in indices],
            [self.said[i] for i in indices],
            {name: values[indices] for name, values in self.tensors.items()},
            {name: values[indices] for name, values in self.features.items()},
            self.strain[indices],
        )

    @property
    def opinions(self) -> list[Opinion]:
        """Those of the potential, of cases all of which have one."""
        return [opinion for opinion in self.said if isinstance(opinion, Opinion)]

    @property
    def folds(self) -> np.ndarray:
        """(n,) fold of each."""
        return np.array([record.fold for record in self.records])

    @property
    def datasets(self) -> np.ndarray:
        """(n,) data set of each."""
        return np.array([record.dataset for record in self.records])


def cases(
    model: Model,
    records: Sequence[Record],
    opinions: Mapping[Key, Opinion | str],
    datasets: Sequence[str],
) -> Cases:
    """The crystals of some data sets in the test parts of the model's folds, by those members that
    left each out; rows in quarantine are left out.

    `records` are those of a whole database. Raises DataError for a model without fingerprints.
    """
    model = held_out(model)
    errors = model.error_model
    if errors is None or errors.fingerprints is None:
        raise DataError(f"model {model.name!r} has no calibrated errors: choose the default model")
    trained = [r for r in records if r.dataset in model.card.recipe["datasets"]]
    parts = []
    for fold in model.folds:
        own = [r for r in records if r.fold == fold and r.dataset in datasets and not r.quarantine]
        members = model.members_without(fold)
        told, features = described(
            select(model.network, members),
            prepare(own, model.network.architecture.cutoff),
            split(trained, fold).train,
            errors.fingerprints.select(members),
        )
        assert told.strain is not None  # models with fingerprints know of it
        said = [opinions.get((record.dataset, record.source_id), NOT_ASKED) for record in own]
        parts.append(Cases(own, said, dict(told.tensors), features, told.strain))
    return _joined(parts)


def _joined(parts: Sequence[Cases]) -> Cases:
    return Cases(
        [record for part in parts for record in part.records],
        [opinion for part in parts for opinion in part.said],
        common_columns([part.tensors for part in parts]),
        common_columns([part.features for part in parts]),
        np.concatenate([part.strain for part in parts]),
    )
