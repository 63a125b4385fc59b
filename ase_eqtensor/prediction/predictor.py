"""Prediction: crystals in, tensors with their provenance and flags out; no calculator needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from warnings import warn

import numpy as np
import torch
from tqdm import tqdm

from ..crystal.graph import collate
from ..crystal.symmetry import DEFAULT_SYMPREC
from ..errors import EqTensorError, EqTensorWarning, ModelError, UnfamiliarWarning
from ..models.store import Model
from ..models.uncertainty import Uncertainty
from ..properties import PROPERTIES, TENSOR_HEADS
from ..tensors.notation import mandel_rotation, rotate_rank2
from .preparation import Preparation, PreparedCrystal

BATCH_EDGES = 30_000  # edges in one pass through the network


@dataclass(frozen=True, eq=False)
class Prediction(Mapping):
    """Tensors of one crystal by property name, each a float64 array in the caller's frame.

    Asking for a property that could not be predicted raises the reason (an `EqTensorError`);
    asking for one that should not be trusted blindly issues the warning that says why.

    `in`, iteration and `get` concern the properties that were predicted.

    tensors: property name -> array, see `ase_eqtensor.properties.PROPERTIES` for shapes and units.
    refused: property name -> error.
    warnings: what a user should know about the crystal; `flags` are their machine-readable names.
    uncertainty: property name -> how far off it may be; empty if the model was never calibrated.
    provenance: model name, sha256 and level of theory of the training data.
    """

    tensors: dict[str, np.ndarray]
    refused: dict[str, EqTensorError]
    warnings: tuple[EqTensorWarning, ...]
    uncertainty: dict[str, Uncertainty] = field(repr=False)
    provenance: dict = field(repr=False)

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(warning.flag for warning in self.warnings))

    @property
    def error(self) -> EqTensorError | None:
        """Why nothing was predicted for this crystal, or None."""
        return None if self.tensors else next(iter(self.refused.values()))

    def warnings_for(self, name: str) -> list[EqTensorWarning]:
        """Warnings that concern a property; that of a metal, say, the dielectric tensors only."""
        return [w for w in self.warnings if w.properties is None or name in w.properties]

    def record(self) -> dict:
        """JSON-able account of what was computed: provenance, flags and uncertainty."""
        uncertainty = {name: one.to_dict() for name, one in self.uncertainty.items()}
        return {**self.provenance, "flags": list(self.flags), "uncertainty": uncertainty}

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self.refused:
            raise self.refused[name]
        tensor = self.tensors[name]
        for warning in self.warnings_for(name):
            warn(warning, stacklevel=2)
        return tensor

    def __contains__(self, name: object) -> bool:
        return name in self.tensors

    def get(self, name: str, default=None):
        return self[name] if name in self else default

    __eq__, __hash__ = object.__eq__, object.__hash__  # by identity: arrays do not compare

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


@dataclass(frozen=True)
class Predictor:
    """Runs a model on crystals.

    model: the trained model; its network is on `device` already and fixes the precision.
    project: average tensors over the crystal's point group, so that they have its exact symmetry.
    reduce_cell: predict on the primitive cell (same frame); off for tests of the bare network.
    symprec: tolerance of the symmetry search in Å.
    allow_untrained_elements: predict, with a warning, for elements absent from the training data
        of a property instead of refusing that property.
    """

    model: Model
    device: str = "cpu"
    project: bool = True
    reduce_cell: bool = True
    symprec: float = DEFAULT_SYMPREC
    allow_untrained_elements: bool = False

    @cached_property
    def preparation(self) -> Preparation:
        """Checks, symmetry and graphs as this model needs them."""
        return Preparation(
            self.model.name,
            {p.trained_on: self.model.trained_elements(p.trained_on) for p in PROPERTIES.values()},
            self.model.network.architecture.cutoff,
            self.reduce_cell,
            self.symprec,
            self.allow_untrained_elements,
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
        results: list[Prediction | None] = [None] * len(structures)
        pending: dict[int, PreparedCrystal] = {}
        edges = 0
        prepared = self.preparation.each(structures, workers)
        bar = tqdm(prepared, "crystals", len(structures), disable=not progress)
        for i, crystal in enumerate(bar):
            if isinstance(crystal, EqTensorError):
                label = labels[i] if labels else f"crystal {i}"
                located = type(crystal)(f"{label}: {crystal}")
                results[i] = self._prediction({}, dict.fromkeys(PROPERTIES, located), (), {})
                continue
            pending[i] = crystal
            edges += len(crystal.graph.sender)
            if edges > BATCH_EDGES:
                self._flush(pending, results)
                edges = 0
        self._flush(pending, results)
        return results

    def _flush(self, pending: dict[int, PreparedCrystal], results: list) -> None:
        for i, prediction in zip(pending, self._evaluate(list(pending.values()))):
            results[i] = prediction
        pending.clear()

    def _evaluate(self, prepared: list[PreparedCrystal]) -> list[Prediction]:
        if not prepared:
            return []
        network = self.model.network
        with torch.inference_mode():
            members = network.logarithms(collate([p.graph for p in prepared]).to(self.device))
            members = {name: value.cpu() for name, value in members.items()}
            log = {name: value.mean(0) for name, value in members.items()}
            if self.project:
                groups = [crystal.rotations for crystal in prepared]
                for name in TENSOR_HEADS:
                    log[name] = torch.from_numpy(group_averages(log[name].numpy(), groups))
            output = {name: value.numpy() for name, value in network.tensors(log).items()}
        errors = self._uncertainties(members, output, prepared)
        results = []
        for i, crystal in enumerate(prepared):
            values, refused, warnings = {}, dict(crystal.refused), list(crystal.warnings)
            for name, declared in PROPERTIES.items():
                tensor = output[declared.output][i]
                if not np.isfinite(tensor).all():
                    refused[name] = ModelError(
                        f"model {self.model.name!r} gave a {name} that is not finite; its weights "
                        "are unusable in this precision. Try dtype='float64' or another model."
                    )
                elif name not in refused:
                    values[name] = declared.from_network(tensor)
            known = {name: errors[i][name] for name in values if name in errors[i]}
            if unfamiliar := tuple(name for name, one in known.items() if one.unfamiliar):
                warnings.append(
                    UnfamiliarWarning(
                        f"{crystal.formula} is unlike the training data of model "
                        f"{self.model.name!r}: its {', '.join(unfamiliar)} may be off by far more "
                        "than is usual. Look at `uncertainty` before you use it.",
                        unfamiliar,
                    )
                )
            results.append(self._prediction(values, refused, warnings, known))
        return results

    def _uncertainties(self, members, output, prepared) -> list[dict[str, Uncertainty]]:
        if self.model.error_model is None:
            return [{}] * len(prepared)
        log = {name: members[name].numpy() for name in TENSOR_HEADS}
        numbers = [crystal.graph.numbers for crystal in prepared]
        volumes = [crystal.volume for crystal in prepared]
        return self.model.error_model.estimate(log, output, numbers, volumes)

    def _prediction(self, values, refused, warnings, uncertainty) -> Prediction:
        provenance = {
            "model": self.model.name,
            "sha256": self.model.sha256,
            "level_of_theory": self.model.level_of_theory,
        }
        return Prediction(values, refused, tuple(warnings), uncertainty, provenance)


def group_averages(matrices: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Averages of (B, 3, 3) or Mandel (B, 6, 6) matrices over their point groups (G, 3, 3).

    Taken of the logarithms, they leave tensors positive definite and stiffness and compliance each
    other's inverse.
    """
    order = np.array([len(group) for group in groups])
    action = np.concatenate(groups)
    if matrices.shape[-1] == 6:
        action = mandel_rotation(action)
    turned = rotate_rank2(np.repeat(matrices, order, axis=0), action)
    return np.add.reduceat(turned, np.cumsum(order) - order) / order[:, None, None]
