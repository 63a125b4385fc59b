"""The model card: what a model is, what it learnt from and how good it is, typed and checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec

from ..errors import ModelError
from ..network.model import Architecture
from .upgrade import CARD_FORMAT, upgrade

DISTANCE = " distance"  # after the name of a quantity: a feature, see models/features.py

# So deep do figures nest: mean -> interval -> end; coverage by system -> level -> share. Cards are
# checked against these on loading; the methods of `Card` are for readers, who know their figure.
Number = float | int | None
Shares = dict[str, Number | dict[str, Number | dict[str, Number]]]
Figures = dict[str, Number | str | dict[str, Number | dict[str, Number]]]


class Member(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One network of an ensemble.

    fold: the fold that it left out; None of a student (train/student/), which learnt from networks
        that left out one each. seed: of its training. minutes: that its training took.
    data: data set -> part ("train", "val", "test") -> number of crystals.
    val: target -> figures on its val part.
    """

    fold: int | None
    seed: int
    minutes: float | None = None
    data: dict[str, dict[str, int]] = {}
    val: dict[str, Figures] = {}


class Ends(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Between what a share of errors lies, in units of their scale, see models/uncertainty.py.

    low, high: coefficients of features; no `low` for an error that has no sign.
    """

    high: dict[str, float]
    low: dict[str, float] = {}


class ErrorScale(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Bounds of one error as functions of features, see models/uncertainty.py.

    coefficients: of "constant" and of features. quantiles: level, as text, -> ends.
    """

    coefficients: dict[str, float]
    quantiles: dict[str, Ends]


class Calibrated(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Error estimates of one quantity.

    scales: "relative_error" or the name of a scalar -> its scale. That of a scalar is for the
        logarithm of its distance from the smallest possible value, true over predicted.
    knots: of the logarithmic size of the predicted tensor, see `hinges`.
    unfamiliar_above: scale of the relative error above which a crystal is flagged.
    """

    scales: dict[str, ErrorScale]
    unfamiliar_above: float
    knots: list[float] = []


class Measured(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a measurement would find of a quantity, beside first principles.

    shift: coefficients of features, whose sum is the logarithm of a factor, see `corrected`.
    quantiles: "relative_error" or the name of a scalar -> level, as text, -> ends of the error that
        is left, in units of its scale from first principles.
    rates: scalar -> cross-validated "crystals", "median_error" (relative), "uncorrected" (the same
        of first principles) and "coverage" of the 90 % bounds.
    """

    shift: dict[str, float]
    quantiles: dict[str, dict[str, Ends]]
    rates: dict[str, dict[str, float]]


class Suspicion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A flag that a linear function of features raises, see models/uncertainty.py.

    coefficients: of features. above: value above which the flag is raised.
    rates: out of fold, "caught" (share of the crystals that deserve it), "false_alarms" (share of
        the others), and "deserving" and "others", their numbers.
    """

    coefficients: dict[str, float]
    above: float
    rates: dict[str, float]


class Card(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything about a model but its weights. All fields are written, and asked for on loading.

    name, format, sha256: of the model, of the card, and of the weights file; set by saving.
    architecture: of the network.
    package_version: that trained it.
    level_of_theory: quantity -> first-principles method of its training data.
    elements: quantity -> atomic number -> training crystals that hold the element, in the mean over
        members; 0 where only rows taught by a potential do.
    members: the networks of the ensemble.
    recipe: of the training, see train/recipes/recipe.py.
    figures: "val" or "out_of_fold" -> target -> figures. by_fold: the same for each fold.
    uncertainty: quantity -> error estimates; empty for a model that was never calibrated.
    calibration: quantity -> how often these bounds hold.
    suspicions: flag -> when it is raised.
    measured: quantity -> what a measurement would find.
    data_citation, intended_use, limits: for people.
    """

    architecture: Architecture
    level_of_theory: dict[str, str]
    elements: Mapping[str, Mapping[int, float]]
    members: list[Member]
    name: str = ""
    format: int = CARD_FORMAT
    sha256: str = ""
    package_version: str = ""
    recipe: dict[str, Any] = {}
    figures: dict[str, dict[str, Figures]] = {}
    by_fold: list[dict[str, int | Figures]] = []
    uncertainty: dict[str, Calibrated] = {}
    calibration: dict[str, dict[str, Shares]] = {}
    suspicions: dict[str, Suspicion] = {}
    measured: dict[str, Measured] = {}
    data_citation: list[str] = []
    intended_use: str = ""
    limits: list[str] = []

    @property
    def calibrated(self) -> bool:
        """Whether error estimates belong to the model."""
        return bool(self.uncertainty)

    @property
    def needs_fingerprints(self) -> bool:
        """Whether error estimates depend on the distance from the training crystals."""
        used = {
            feature
            for entry in self.uncertainty.values()
            for scale in entry.scales.values()
            for feature in scale.coefficients
        }
        return any(feature.endswith(DISTANCE) for feature in used)

    @property
    def folds(self) -> list[int]:
        """The folds that members left out; their crystals can be predicted by networks that never
        saw them."""
        return sorted({member.fold for member in self.members if member.fold is not None})

    def figures_of(self, part: str) -> dict[str, dict[str, Any]]:
        """Target -> figures on a part, "val" or "out_of_fold"."""
        return self.figures[part]

    def figures_by_fold(self, target: str) -> list[dict[str, Any]]:
        """The figures of a target in each fold that has some."""
        scored = (fold.get(target) for fold in self.by_fold)
        return [figures for figures in scored if isinstance(figures, dict)]

    def calibration_of(self, quantity: str) -> dict[str, dict[str, Any]]:
        """Error -> how often its bounds hold, and "flagged", see `calibration.check`; empty for a
        quantity that was never calibrated."""
        return self.calibration.get(quantity, {})


def read_card(path: Path) -> Card:
    """The card in a JSON file, also one that an older version wrote.

    Raises ModelError, naming the key, for a card that cannot be read, lacks a key, has one too many
    or one of the wrong type, or was written by a newer version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
    except (OSError, ValueError) as error:  # bad JSON is a ValueError
        raise ModelError(f"cannot read the model card {path}: {error}") from error
    format = content.get("format", 0)
    if not isinstance(format, int) or format > CARD_FORMAT:
        raise ModelError(
            f"{path} has card format {format}, this version reads up to {CARD_FORMAT}; use the "
            "package version that wrote it"
        )
    try:
        content = upgrade(content)
        _check_keys(content, Card.__struct_fields__, "")
        _check_keys(content["architecture"], [f.name for f in fields(Architecture)], "architecture")
        return msgspec.convert(content, Card, str_keys=True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # msgspec's among the last
        problem = str(error) if isinstance(error, ValueError) else repr(error)
        raise ModelError(
            f"the model card {path} is damaged: {problem}. Restore the file, or reinstall."
        ) from error


def write_card(card: Card, path: Path) -> None:
    """Write a card as JSON, indented, for people to read."""
    text = json.dumps(msgspec.to_builtins(card, str_keys=True), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _check_keys(content: object, wanted: Sequence[str], of: str) -> None:
    """Raise ValueError unless a JSON object has these keys and no others."""
    if not isinstance(content, dict):
        raise ValueError(f"{of} is a {type(content).__name__}, expected an object")
    prefix = f"{of}." if of else ""
    if lacking := [prefix + key for key in wanted if key not in content]:
        raise ValueError(f"it lacks {', '.join(lacking)}")
    if unknown := [prefix + key for key in content if key not in wanted]:
        raise ValueError(f"it has the unknown keys {', '.join(unknown)}")
