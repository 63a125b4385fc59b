"""What a prediction tells of one crystal."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from warnings import warn

import numpy as np

from ..errors import EqTensorError, EqTensorWarning
from ..models.uncertainty import Uncertainty
from .partner import Consulted


@dataclass(frozen=True, eq=False)
class Prediction(Mapping):
    """Tensors of one crystal by name, each a float64 array in the caller's frame.

    Asking for a tensor that could not be predicted raises the reason (an `EqTensorError`); asking
    for one that should not be trusted blindly issues the warning that says why.

    `in`, iteration and `get` concern the tensors that were predicted.

    tensors: name -> array, see `ase_eqtensor.QUANTITIES` for shapes and units.
    refused: name -> error.
    warnings: what a user should know about the crystal; `flags` are their machine-readable names,
        `concerns` says which tensors each is about.
    scalars: what follows from the tensors, by the names of `Quantity.scalars`: k_vrh_gpa, eps_inf,
        ...; NaN where a crystal has no such number.
    uncertainty: name of a tensor -> how far off it may be; empty if the model was never calibrated.
    provenance: model name, sha256 and level of theory of the training data.
    known: name of each tensor that is no prediction but the first-principles value of this very
        structure -> entry of the training data that it is from; empty unless `prefer_known` is set.
    consulted: what network and partner said alone; None without a partner.
    """

    tensors: dict[str, np.ndarray]
    refused: dict[str, EqTensorError]
    warnings: tuple[EqTensorWarning, ...]
    scalars: dict[str, float] = field(repr=False)
    uncertainty: dict[str, Uncertainty] = field(repr=False)
    provenance: dict = field(repr=False)
    known: dict[str, str] = field(default_factory=dict)
    consulted: Consulted | None = field(default=None, repr=False)

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(warning.flag for warning in self.warnings))

    @property
    def concerns(self) -> dict[str, tuple[str, ...]]:
        """Flag -> names of the tensors that it concerns; empty where it concerns all of them."""
        concerns: dict[str, tuple[str, ...]] = {}
        for warning in self.warnings:
            names = (*concerns.get(warning.flag, ()), *(warning.properties or ()))
            concerns[warning.flag] = tuple(dict.fromkeys(names))
        return concerns

    @property
    def error(self) -> EqTensorError | None:
        """Why nothing was predicted for this crystal, or None."""
        return None if self.tensors else next(iter(self.refused.values()))

    def warnings_for(self, name: str) -> list[EqTensorWarning]:
        """Warnings that concern a tensor; that of a metal, say, the dielectric tensors only."""
        return [w for w in self.warnings if w.properties is None or name in w.properties]

    def interval(self, scalar: str, level: float = 0.9) -> tuple[float, float] | None:
        """(low, high) of a scalar, which hold for this share of crystals; None where the model has
        no error estimate of it."""
        for estimate in self.uncertainty.values():
            if scalar in estimate.scalars:
                return estimate.scalars[scalar].bounds[level]
        return None

    def record(self) -> dict:
        """JSON-able account of what was computed: provenance, flags, scalars and uncertainty."""
        scalars = {name: x if isfinite(x) else None for name, x in self.scalars.items()}
        uncertainty = {name: estimate.to_dict() for name, estimate in self.uncertainty.items()}
        concerns = {flag: list(names) for flag, names in self.concerns.items()}
        flags = {"flags": list(self.flags), "concerns": concerns}
        told = flags | {"scalars": scalars, "uncertainty": uncertainty, "known": self.known}
        partner = {} if self.consulted is None else {"partner": self.consulted.to_dict()}
        return self.provenance | told | partner

    def _repr_html_(self) -> str:
        """Tables with bounds, for notebooks."""
        from .notebook import prediction_html

        return prediction_html(self)

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
