"""What a user should know about a crystal and its prediction."""

from collections.abc import Collection
from dataclasses import dataclass

from ..crystal.formula import composition
from ..crystal.validation import describe
from ..errors import (
    EqTensorWarning,
    MetalWarning,
    PartnerWarning,
    SoftModeWarning,
    StrainedWarning,
    UnfamiliarWarning,
    UnstableWarning,
)
from ..models.partnership import EXPECTED, SOFT_MODE
from ..models.store import Model
from ..models.uncertainty import Estimate
from .partner import Consulted
from .preparation import PreparedCrystal

# Relative change of the distance between neighbours, from which on the labels of strained crystals
# end; 1 % of the relaxed training crystals, out of fold, seem to be as far from rest.
FAR = 0.04


@dataclass(frozen=True)
class Notices:
    """Warnings about a crystal; `predicted` are the tensors that are predictions, not known values,
    `consulted` what a partner said, if there is one.

    Calling it with the error estimate of these gives them.
    """

    crystal: PreparedCrystal
    predicted: Collection[str]
    model: Model
    consulted: Consulted | None = None

    def __call__(self, estimate: Estimate) -> tuple[EqTensorWarning, ...]:
        warnings = self._of_preparation()
        # of what a metal does not have, nothing is left to be said
        spoken_for = {
            n for w in warnings if isinstance(w, MetalWarning) for n in w.properties or ()
        }
        about = [name for name in self.predicted if name not in spoken_for]
        unfamiliar = [name for name in about if _unfamiliar(estimate, name)]
        warnings += self._strained(estimate.strain) if about else []
        warnings += self._unfamiliar(unfamiliar) if unfamiliar else []
        warnings += self._suspected(estimate, about)
        warnings += self._of_partner(about)
        return tuple(warnings)

    def _of_preparation(self) -> list[EqTensorWarning]:
        """Those of the preparation, as far as they concern what is predicted; a crystal whose
        composition is that of an insulator in the training data is no metal, whatever its
        composition suggests."""
        warnings = [
            w
            for w in self.crystal.warnings
            if w.properties is None or not set(w.properties).isdisjoint(self.predicted)
        ]
        if any(isinstance(warning, MetalWarning) for warning in warnings):
            if composition(self.crystal.graph.numbers) in self.model.known_insulators:
                warnings = [w for w in warnings if not isinstance(w, MetalWarning)]
        return warnings

    def _strained(self, strain: float) -> list[EqTensorWarning]:
        if abs(strain) < FAR:
            return []
        percent = 100 * abs(strain)
        direction = "closer together" if strain < 0 else "farther apart"
        return [
            StrainedWarning(
                f"{self._name}: neighbours are about {percent:.0f} % {direction} than such atoms "
                "are at rest. Tensors of crystals so far from equilibrium are extrapolated; relax "
                "the crystal, or calculate them."
            )
        ]

    def _unfamiliar(self, names: list[str]) -> list[EqTensorWarning]:
        return [
            UnfamiliarWarning(
                f"{self._name} is unlike the training data of model {self.model.name!r}: its "
                f"{', '.join(names)} may be off by far more than is usual. Look at `uncertainty` "
                "before you use it.",
                tuple(names),
            )
        ]

    def _suspected(self, estimate: Estimate, about: list[str]) -> list[EqTensorWarning]:
        warnings: list[EqTensorWarning] = []
        elastic = tuple(n for n in about if not self.model.quantities[n].insulators_only)
        found = self._instability
        if elastic and (found or UnstableWarning.flag in estimate.suspicions):
            why = found or "resembles crystals that do not resist every strain"
            text = (
                f"{self._name} {why}; a predicted stiffness is always that of a stable crystal. "
                "Calculate its phonons before you rely on it."
            )
            warnings.append(UnstableWarning(text, elastic))
        ionic = tuple(n for n in about if self.model.quantities[n].may_soften)
        soft = self._soft_mode
        if ionic and (soft or SoftModeWarning.flag in estimate.suspicions):
            why = soft or "resembles crystals with a large ionic permittivity"
            text = (
                f"{self._name} {why}, which a soft mode makes larger without limit: its "
                f"{', '.join(ionic)} is rather too small than too large. Look at the upper bound."
            )
            warnings.append(SoftModeWarning(text, ionic))
        return warnings

    @property
    def _instability(self) -> str:
        """What the partner says of it, for a sentence about the crystal; "" if nothing."""
        opinion = self.consulted and self.consulted.opinion
        if not opinion or opinion.doubt or not opinion.instability:
            return ""
        assert self.consulted is not None
        return f"is {opinion.instability} in {self.consulted.partner}"

    @property
    def _soft_mode(self) -> str:
        """The same of a polar mode."""
        alone = self.consulted.alone if self.consulted else {}
        if not self.consulted or not any(r.startswith(SOFT_MODE) for r in alone.values()):
            return ""
        return f"has a soft polar mode in {self.consulted.partner}, and an ionic permittivity"

    def _of_partner(self, about: Collection[str]) -> list[EqTensorWarning]:
        """One for each reason why tensors are the network's alone, as far as it is news."""
        if self.consulted is None:
            return []
        names: dict[str, list[str]] = {}
        for name, reason in self.consulted.alone.items():
            if name in about and reason not in EXPECTED:
                names.setdefault(reason, []).append(name)
        return [
            PartnerWarning(
                f"{self._name}: {', '.join(concerned)} by the network alone, because of what "
                f"{self.consulted.partner} says: {reason}.",
                tuple(concerned),
            )
            for reason, concerned in names.items()
        ]

    @property
    def _name(self) -> str:
        return describe(self.crystal.atoms)


def _unfamiliar(estimate: Estimate, name: str) -> bool:
    return name in estimate.uncertainty and estimate.uncertainty[name].unfamiliar
