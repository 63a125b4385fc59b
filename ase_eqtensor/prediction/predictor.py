"""Runs a model on crystals: one, many, and those that failed among them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from ase import Atoms
from tqdm import tqdm

from ..errors import (
    EqTensorError,
    ModelError,
    SettingError,
    located,
)
from ..models.store import Model
from ..potential.opinion import Opinion
from .evaluation import Found, evaluate
from .known import Known, known_values
from .notices import Notices
from .partner import Consulted, Partner
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
    partner: a potential whose opinion of every crystal makes the tensors better; None without.

    Raises SettingError for a partner of a model without calibrated errors, and for a partner and
    measured values together; ModelError if known values are
    asked for of a model that lacks its training crystals, or measured ones of a model that does not
    know of them.
    """

    model: Model
    settings: Settings = field(default_factory=Settings)
    partner: Partner | None = None

    def __post_init__(self):
        if self.settings.prefer_known:
            _ = self.model.training_crystals  # found missing here, not in the middle of a list
        if self.partner is not None and not self.model.card.calibrated:
            raise SettingError(
                f"partner={self.partner.name!r}: the errors of model {self.model.name!r} were "
                "never calibrated; choose the default model"
            )
        if self.settings.level == MEASURED and self.partner is not None:
            raise SettingError(
                f"level={MEASURED!r} and partner={self.partner.name!r}: what measurements find was "
                "calibrated with the network alone; choose one of the two"
            )
        if self.settings.level == MEASURED and not self.model.card.measured:
            raise ModelError(
                f"model {self.model.name!r} does not know what measurements find: leave level at "
                f"{FIRST_PRINCIPLES!r}, or choose the default model"
            )

    def identity(self) -> dict:
        """What results depend on, JSON-able."""
        identity = {"model": self.model.name, "sha256": self.model.sha256}
        partner = {} if self.partner is None else {"partner": self.partner.identity()}
        return identity | self.settings.identity() | partner

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
            None if self.partner is None else self.partner.asked,
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
        # apart: where symmetry forbids tensors of odd parity, the network need not look for them
        waiting: dict[bool, dict[int, PreparedCrystal]] = {True: {}, False: {}}
        edges = {True: 0, False: 0}

        def name(i: int) -> str:
            return labels[i] if labels else f"crystal {i}"

        def flush(odd: bool) -> None:
            pending = waiting[odd]
            for i, prediction in zip(pending, self._evaluate(list(pending.values()))):
                results[i] = prediction
                if prediction.error is not None:  # all its tensors are refused
                    refused = {n: located(e, name(i)) for n, e in prediction.refused.items()}
                    results[i] = replace(prediction, refused=refused)
            pending.clear()
            edges[odd] = 0

        prepared = self.preparation.each(structures, workers)
        bar = tqdm(prepared, "crystals", len(structures), disable=not progress)
        for i, crystal in enumerate(bar):
            if isinstance(crystal, EqTensorError):
                error = located(crystal, name(i))
                results[i] = self._prediction(refused=dict.fromkeys(self.model.quantities, error))
                continue
            odd = crystal.graph.odd
            waiting[odd][i] = crystal
            edges[odd] += len(crystal.graph.sender)
            if edges[odd] > BATCH_EDGES:
                flush(odd)
        flush(True)
        flush(False)
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
        found = evaluate(self.model, self.settings, self.partner, prepared)
        return [self._assemble(crystal, found, i) for i, crystal in enumerate(prepared)]

    def _assemble(self, crystal: PreparedCrystal, batch: Found, i: int) -> Prediction:
        """The prediction of the crystal that is number i of a batch."""
        arrays = {name: values[i] for name, values in batch.tensors.items()}
        scalars = {name: float(values[i]) for name, values in batch.scalars.items()}
        estimate = batch.estimates[i]
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
        predicted = [name for name in tensors if name not in known]
        consulted = self._consulted(crystal, batch, i)
        notices = Notices(crystal, predicted, self.model, consulted)
        warnings = notices(estimate._replace(uncertainty=uncertainty))
        sources = {name: value.source_id for name, value in known.items()}
        return self._prediction(tensors, refused, warnings, told, uncertainty, sources, consulted)

    def _consulted(self, crystal: PreparedCrystal, batch: Found, i: int) -> Consulted | None:
        if self.partner is None:
            return None
        network = {
            name: quantity.to_ase(batch.network[name][i])
            for name, quantity in self.model.quantities.items()
            if name not in crystal.refused
        }
        opinion = crystal.opinion if isinstance(crystal.opinion, Opinion) else None
        return Consulted(self.partner.name, opinion, network, batch.alone[i])

    def _known(self, crystal: PreparedCrystal) -> dict[str, Known]:
        """Quantity of the model -> known value, if these are preferred."""
        if not self.settings.prefer_known:
            return {}
        group = crystal.rotations if self.settings.project else np.eye(3)[None]
        values = known_values(self.model.seen(crystal.atoms, self.symprec), group)
        return {name: value for name, value in values.items() if name in self.model.quantities}

    def _prediction(
        self,
        tensors=None,
        refused=None,
        warnings=(),
        scalars=None,
        uncertainty=None,
        known=None,
        consulted=None,
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
            consulted,
        )
