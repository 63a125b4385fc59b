"""What a page is about: a crystal and all that is known of it, found once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ase import Atoms

from ..analysis import ieee_rotation
from ..calculator import EqTensorCalculator
from ..crystal.formula import reduced_formula
from ..crystal.symmetry import CrystalSymmetry, analyse
from ..models.store import Model
from ..models.training_crystals import TrainingCrystal
from ..prediction.known import Comparison, compared
from ..prediction.prediction import Prediction
from ..prediction.settings import Settings
from .words import Caution, cautions


@dataclass(frozen=True, eq=False)
class Subject:
    """A crystal with its prediction.

    seen: crystals of the training data with its formula. known: quantity -> what the closest of
        them with the same structure knows.
    checked: quantity -> how often the bounds hold that the prediction has.
    """

    atoms: Atoms
    model: Model
    settings: Settings
    prediction: Prediction
    symmetry: CrystalSymmetry
    seen: list[TrainingCrystal]
    known: Mapping[str, Comparison]
    checked: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, atoms: Atoms, calculator: EqTensorCalculator) -> "Subject":
        """Predict a crystal. Raises the reason if nothing can be predicted."""
        prediction = calculator.predictor.predict_one(atoms)
        if prediction.error is not None:
            raise prediction.error
        settings, seen = calculator.predictor.settings, calculator.seen(atoms)
        return cls(
            atoms,
            calculator.model,
            settings,
            prediction,
            analyse(atoms, settings.symprec),
            seen,
            compared(prediction, seen),
            _checked(calculator, prediction),
        )

    @property
    def formula(self) -> str:
        return reduced_formula(self.atoms)

    @cached_property
    def cautions(self) -> list[Caution]:
        """The warnings, in words."""
        return cautions(self.prediction)

    @property
    def rotations(self) -> np.ndarray:
        """(G, 3, 3) the point group over which its tensors are averaged."""
        return self.symmetry.rotations if self.settings.project else np.eye(3)[None]

    @cached_property
    def ieee(self) -> np.ndarray | None:
        """(3, 3) rotation to its IEEE axes; None where these are not known."""
        return ieee_rotation(self.atoms) if self.symmetry.known else None

    @property
    def same(self) -> list[str]:
        """Entries of the training data that have its structure."""
        return list(dict.fromkeys(c.source_id for c in self.seen if c.same_structure))


def _checked(calculator: EqTensorCalculator, prediction: Prediction) -> dict[str, dict[str, Any]]:
    """Those of the model, or, where a potential had its say, those of both together."""
    checked = dict(calculator.model.card.calibration)
    partner, consulted = calculator.partner, prediction.consulted
    if partner is not None and consulted is not None:
        together = partner.card.calibration.items()
        checked |= {name: own for name, own in together if name not in consulted.alone}
    return checked
