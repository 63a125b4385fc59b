"""The page that lists the pages of several crystals, with their main numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..prediction.settings import MEASURED
from ..quantities import QUANTITIES, Scalar
from ..quantities.numbers import number, span
from .markup import formula_markup
from .page import environment, space_group
from .subject import Subject
from .words import nouns


@dataclass(frozen=True)
class Value:
    """A number in the list. text: of it; interval: the 90 % one, "" for none; sort: by which."""

    text: str
    interval: str
    sort: float


@dataclass(frozen=True)
class Listed:
    """A crystal of the list.

    source: its label. name: short one. page: address of its page.
    space_group: as HTML; group: its number; system: the crystal system, "" where it is not known.
    values: scalar -> what is predicted. flags: in words. refused: what is not predicted, in words.
    known: entries of the training data with its structure.
    model: by which it was predicted. measured: whether values are those of a measurement.
    """

    source: str
    name: str
    page: str
    formula: str
    formula_markup: str
    space_group: str
    group: int
    system: str
    atoms: int
    values: dict[str, Value]
    flags: tuple[str, ...]
    refused: str
    known: tuple[str, ...]
    model: str
    measured: bool

    @classmethod
    def of(cls, subject: Subject, source: str, page: Path) -> "Listed":
        prediction, symmetry = subject.prediction, subject.symmetry
        shown = [s for n in prediction.tensors for s in QUANTITIES[n].scalars if s.headline]
        return cls(
            source,
            page.stem,
            page.name,
            subject.formula,
            formula_markup(subject.formula),
            space_group(subject),
            symmetry.space_group,
            symmetry.crystal_system if symmetry.known else "",
            len(subject.atoms),
            {
                s.name: Value(
                    number(prediction.scalars[s.name]),
                    span(prediction.interval(s.name)),
                    prediction.scalars[s.name],
                )
                for s in shown
            },
            tuple(dict.fromkeys(caution.heading.lower() for caution in subject.cautions)),
            nouns(prediction.refused) if prediction.refused else "",
            tuple(subject.same),
            subject.model.name,
            subject.settings.level == MEASURED,
        )


def render_index(crystals: Sequence[Listed], failures: Mapping[str, str]) -> str:
    """The HTML page.

    Args:
        crystals: those with a page, at least one, all predicted alike.
        failures: label of each crystal without a page -> why.
    """
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            crystals=crystals,
            columns=_columns(crystals),
            failures=failures,
            model=crystals[0].model,
            measured=crystals[0].measured,
            version=__version__,
        )
    )


def _columns(crystals: Sequence[Listed]) -> list[Scalar]:
    """Headline scalars that are not zero in every crystal."""
    return [
        scalar
        for quantity in QUANTITIES.values()
        for scalar in quantity.scalars
        if any(c.values[scalar.name].sort for c in crystals if scalar.name in c.values)
    ]
