"""A potential as the network's partner: which one, and what it says of crystals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ..errors import PartnerError, SettingError
from ..models.features import Told
from ..models.partner_card import PartnerCard, read_partner
from ..models.partnership import Combined, Partnership
from ..models.store import Model
from ..models.uncertainty import ErrorModel, Estimate
from ..potential.calculators import calculator, reference
from ..potential.opinion import Opinion, ask

Chosen = str | Path | BaseCalculator | None  # what a user may say of a partner
SAME = 1e-3  # eV, within which two calculators say the same of the reference


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked in the processes that prepare crystals: a calculator, or the name of one, which
    is made in each of them."""

    calculator: str | BaseCalculator
    level_of_theory: str = ""

    def __call__(self, atoms: Atoms, symprec: float, force_constants: bool) -> Opinion | str:
        """The opinion of a crystal, or why there is none."""
        potential = self.calculator
        if isinstance(potential, str):
            potential = calculator(potential, self.level_of_theory)
        try:
            return ask(atoms, potential, symprec, force_constants)
        except PartnerError as error:
            return str(error)


@dataclass(frozen=True, eq=False)
class Partner:
    """A potential beside a network.

    chosen: by the user, see `of`. name: of its calculator. asked: the calculator itself.
    card: what its word is worth. fingerprint: of the card.
    """

    chosen: str | Path | BaseCalculator
    name: str
    asked: Asked
    card: PartnerCard
    fingerprint: str

    @classmethod
    def of(cls, chosen: str | Path | BaseCalculator, model: Model) -> "Partner":
        """The partner that a user chose: the name of a potential that was calibrated with the
        model, a file of `eqtensor calibrate-partner`, or an ASE calculator of such a potential.

        Raises SettingError for any other, ModelError for a file that cannot be read,
        MissingExtraError if the potential's library is not installed.
        """
        if isinstance(chosen, BaseCalculator):
            path = _recognised(chosen, model)
        else:
            path = model.partners.get(str(chosen), Path(chosen))
            if not path.is_file():
                raise SettingError(f"partner={str(chosen)!r}: {_offered(model)}")
        card = read_partner(path)
        if card.sha256 != model.sha256:
            raise SettingError(
                f"partner={str(path)!r} was calibrated with other weights (model {card.model!r}), "
                f"not with {model.name!r}: choose that model, or calibrate it anew"
            )
        given = chosen if isinstance(chosen, BaseCalculator) else card.calculator
        asked = Asked(given, card.level_of_theory)
        if isinstance(given, str):
            calculator(
                given, card.level_of_theory
            )  # found missing here, not in the middle of a list
        fingerprint = sha256(path.read_bytes()).hexdigest()[:16]
        return cls(chosen, card.calculator, asked, card, fingerprint)

    def identity(self) -> dict[str, str]:
        """What results depend on."""
        return {"calculator": self.name, "library": self.card.library, "card": self.fingerprint}

    @cached_property
    def partnership(self) -> Partnership:
        """How its tensors and those of the network make one."""
        charges = self.card.born_charges() if self.card.charges else None
        return Partnership(self.card.stiffness, self.card.ionic, charges)

    def estimates(
        self,
        errors: ErrorModel,
        told: Told,
        features: Mapping[str, np.ndarray],
        scalars: Mapping[str, np.ndarray],
        combined: Combined,
    ) -> list[Estimate]:
        """What is known of the errors of B crystals: of combined tensors from the card, of the
        others from the model; `features` are those of the network, `scalars` (B,) follow from the
        combined tensors."""
        estimates = errors.estimate(told, features, scalars)
        used = {name: combined.used(name) for name in self.card.uncertainty}
        calibrated = {name: self.card.uncertainty[name] for name in used if used[name].any()}
        known = replace(errors, calibrated=calibrated)
        together = known.estimate(told, combined.features, scalars)
        for name in calibrated:
            for i in np.flatnonzero(used[name]):
                estimates[i].uncertainty[name] = together[i].uncertainty[name]
        return estimates


def _offered(model: Model) -> str:
    known = ", ".join(map(repr, model.partners)) or "no potential"
    return (
        f"model {model.name!r} was calibrated with {known}; for another calculator make a file "
        "with `eqtensor calibrate-partner` and give its path"
    )


def _recognised(potential: BaseCalculator, model: Model) -> Path:
    """The card of a shipped partner that says the same of the reference crystal."""
    said = reference(potential)
    for path in model.partners.values():
        known = read_partner(path).reference_ev
        if said is not None and known is not None and abs(said - known) < SAME:
            return path
    raise SettingError(f"partner={type(potential).__name__}: {_offered(model)}")


@dataclass(frozen=True, eq=False)
class Consulted:
    """What network and potential said of a crystal before they were combined.

    partner: name of the potential. opinion: of it; None if it has none.
    network: quantity -> the network's own tensor, in the units and frame of `Prediction.tensors`.
    alone: quantity -> why the prediction is the network's alone.
    """

    partner: str
    opinion: Opinion | None
    network: dict[str, np.ndarray]
    alone: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        network = {name: tensor.tolist() for name, tensor in self.network.items()}
        told = {"calculator": self.partner, "network": network, "network_alone": self.alone}
        if (opinion := self.opinion) is None:
            return told
        soft = None
        if opinion.force_constants is not None and len(opinion.modes[0]):
            soft = float(opinion.modes[0][0])
        return told | {
            "relaxed_volume_ratio": opinion.volume_ratio,
            "converged": opinion.converged,
            "stiffness_gpa": opinion.stiffness_gpa.tolist(),
            "instability": opinion.instability,
            "softest_mode_ev_ang2": soft,
            "evaluations": opinion.evaluations,
            "seconds": opinion.seconds,
        }
