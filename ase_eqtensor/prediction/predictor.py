"""Runs a model on crystals: preparation, network, projection, uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from ase import Atoms
from tqdm import tqdm

from ..crystal.graph import collate
from ..errors import (
    EqTensorError,
    ModelError,
    located,
)
from ..models.features import Told
from ..models.store import Model
from ..models.uncertainty import Estimate
from ..network.model import Reading
from ..quantities import Density, heads
from .known import Known, known_values
from .notices import Notices
from .prediction import Prediction
from .preparation import Preparation, PreparedCrystal
from .settings import FIRST_PRINCIPLES, MEASURED, Settings

Labelled = tuple[str, Atoms, Prediction]
BATCH_EDGES = 30_000  # edges in one pass through the network


@dataclass(frozen=True)
class Predictor:
    """Runs a model on crystals.

    model: the trained model; its network has the device and the precision of `settings` already.
    settings: see `Settings`.

    Raises ModelError if known values are asked for of a model that lacks its training crystals, or
    measured ones of a model that does not know of them.
    """

    model: Model
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self):
        if self.settings.prefer_known:
            _ = self.model.training_crystals  # found missing here, not in the middle of a list
        if self.settings.level == MEASURED and not self.model.card.measured:
            raise ModelError(
                f"model {self.model.name!r} does not know what measurements find: leave level at "
                f"{FIRST_PRINCIPLES!r}, or choose the default model"
            )

    @property
    def symprec(self) -> float:
        """Tolerance in Å of the symmetry search."""
        return self.settings.symprec

    @cached_property
    def preparation(self) -> Preparation:
        """Checks, symmetry and graphs as this model needs them."""
        return Preparation(
            self.model.name,
            {
                name: self.model.trained_elements(quantity.trained_on)
                for name, quantity in self.model.quantities.items()
            },
            {
                name: self.model.borrowed_elements(quantity.trained_on)
                for name, quantity in self.model.quantities.items()
            },
            tuple(name for name, q in self.model.quantities.items() if q.insulators_only),
            self.model.network.architecture.cutoff,
            self.settings,
        )

    def predict_one(self, structure) -> Prediction:
        """Prediction for ASE atoms or a pymatgen structure; raises StructureError for bad input."""
        return self._evaluate([self.preparation(structure)])[0]

    def predict(
        self,
        structures: Sequence,
        progress: bool = False,
        workers: int = 1,
        labels: Sequence[str] | None = None,
    ) -> list[Prediction]:
        """Predictions aligned with `structures`; for a bad crystal the entry holds its error, which
        begins with its label ("crystal 7" where there are no `labels`)."""
        structures = list(structures)
        results: dict[int, Prediction] = {}
        pending: dict[int, PreparedCrystal] = {}
        edges = 0

        def flush() -> None:
            results.update(zip(pending, self._evaluate(list(pending.values()))))
            pending.clear()

        prepared = self.preparation.each(structures, workers)
        bar = tqdm(prepared, "crystals", len(structures), disable=not progress)
        for i, crystal in enumerate(bar):
            if isinstance(crystal, EqTensorError):
                error = located(crystal, labels[i] if labels else f"crystal {i}")
                results[i] = self._prediction(refused=dict.fromkeys(self.model.quantities, error))
                continue
            pending[i] = crystal
            edges += len(crystal.graph.sender)
            if edges > BATCH_EDGES:
                flush()
                edges = 0
        flush()
        return [results[i] for i in range(len(structures))]

    def predict_labelled(
        self, crystals: Sequence[tuple[str, Atoms | EqTensorError]], workers: int = 1
    ) -> tuple[list[Labelled], list[EqTensorError]]:
        """Crystals with label and prediction, and why the others have none.

        Args:
            crystals: label and crystal, or label and why it could not be read.
            workers: as of `predict`.

        Returns:
            (label, atoms, prediction) of all good crystals, and the errors of all bad ones, which
            begin with the label; each in the given order.
        """
        readable = [(label, atoms) for label, atoms in crystals if isinstance(atoms, Atoms)]
        labels = [label for label, _ in readable]
        atoms = [atoms for _, atoms in readable]
        predictions = iter(self.predict(atoms, workers=workers, labels=labels))
        predicted: list[Labelled] = []
        failures: list[EqTensorError] = []
        for label, crystal in crystals:
            if not isinstance(crystal, Atoms):
                failures.append(located(crystal, label))
                continue
            prediction = next(predictions)
            if prediction.error is not None:
                failures.append(prediction.error)
            else:
                predicted.append((label, crystal, prediction))
        return predicted, failures

    def _evaluate(self, prepared: list[PreparedCrystal]) -> list[Prediction]:
        if not prepared:
            return []
        network = self.model.network
        with torch.inference_mode():
            batch = collate([crystal.graph for crystal in prepared])
            reading = network.read(batch.to(self.settings.device))
            mean = {name: value.mean(0).cpu() for name, value in reading.arrays.items()}
            if self.settings.project:
                groups = [crystal.rotations for crystal in prepared]
                for name, value in mean.items():
                    averages = heads()[name].form.group_averages(value.numpy(), groups)
                    mean[name] = torch.from_numpy(averages)
            tensors = {
                name: value.numpy() for name, value in network.tensors(mean, batch.polar).items()
            }
        estimates, tensors, scalars = self._estimates(reading, tensors, prepared)
        return [
            self._assemble(
                crystal,
                {name: arrays[i] for name, arrays in tensors.items()},
                {name: float(values[i]) for name, values in scalars.items()},
                estimates[i],
            )
            for i, crystal in enumerate(prepared)
        ]

    def _scalars(
        self, tensors: Mapping[str, np.ndarray], prepared: list[PreparedCrystal]
    ) -> dict[str, np.ndarray]:
        """Name -> values (B,) of all scalars of all predicted tensors."""
        volume = np.array([crystal.volume for crystal in prepared])
        mass = np.array([crystal.mass for crystal in prepared])
        atoms = np.array([len(crystal.graph.numbers) for crystal in prepared])
        density = Density(mass / volume, atoms / volume)
        scalars: dict[str, np.ndarray] = {}
        for name, quantity in self.model.quantities.items():
            scalars |= quantity.scalar_values(tensors[name], density)
        return scalars

    def _estimates(
        self, reading: Reading, tensors: dict[str, np.ndarray], prepared: list[PreparedCrystal]
    ) -> tuple[list[Estimate], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Error estimates; tensors and scalars at the level that is asked for."""
        errors = self.model.error_model
        if errors is None:
            return [Estimate({})] * len(prepared), tensors, self._scalars(tensors, prepared)
        told = Told.of(
            reading,
            errors.folds,
            [crystal.graph.numbers for crystal in prepared],
            [crystal.volume for crystal in prepared],
            [crystal.crystal_system for crystal in prepared],
            tensors,
            errors.fingerprints,
        )
        measured = self.settings.level == MEASURED
        features = errors.features(told)
        if measured:
            tensors = tensors | errors.as_measured(told, features)
        scalars = self._scalars(tensors, prepared)
        return errors.estimate(told, features, scalars, measured), tensors, scalars

    def _assemble(
        self,
        crystal: PreparedCrystal,
        arrays: Mapping[str, np.ndarray],
        scalars: Mapping[str, float],
        estimate: Estimate,
    ) -> Prediction:
        """The prediction of a crystal from the network's arrays (*form.shape) of its tensors."""
        tensors, refused = {}, dict(crystal.refused)
        for name, quantity in self.model.quantities.items():
            if not np.isfinite(arrays[name]).all():
                refused[name] = ModelError(
                    f"model {self.model.name!r} gave a {name} that is not finite; its weights are "
                    "unusable in this precision. Try dtype='float64' or another model."
                )
            elif name not in refused:
                tensors[name] = quantity.to_ase(arrays[name])
        known = self._known(crystal)
        tensors |= {name: value.tensor for name, value in known.items()}
        refused = {name: error for name, error in refused.items() if name not in known}
        names = [s.name for name in tensors for s in self.model.quantities[name].scalars]
        told = {name: scalars[name] for name in names}
        for value in known.values():
            told |= value.scalars
        uncertainty = {
            name: estimate.uncertainty[name]
            for name in tensors
            if name in estimate.uncertainty and name not in known
        }
        notices = Notices(crystal, [name for name in tensors if name not in known], self.model)
        warnings = notices(estimate._replace(uncertainty=uncertainty))
        sources = {name: value.source_id for name, value in known.items()}
        return self._prediction(tensors, refused, warnings, told, uncertainty, sources)

    def _known(self, crystal: PreparedCrystal) -> dict[str, Known]:
        """Quantity of the model -> known value, if these are preferred."""
        if not self.settings.prefer_known:
            return {}
        group = crystal.rotations if self.settings.project else np.eye(3)[None]
        values = known_values(self.model.seen(crystal.atoms, self.symprec), group)
        return {name: value for name, value in values.items() if name in self.model.quantities}

    def _prediction(
        self, tensors=None, refused=None, warnings=(), scalars=None, uncertainty=None, known=None
    ) -> Prediction:
        provenance = {
            "model": self.model.name,
            "sha256": self.model.sha256,
            "level_of_theory": self.model.level_of_theory,
            "level": self.settings.level,
        }
        return Prediction(
            tensors or {},
            refused or {},
            warnings,
            scalars or {},
            uncertainty or {},
            provenance,
            known or {},
        )
