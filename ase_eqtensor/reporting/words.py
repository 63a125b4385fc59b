"""Messages of the package as sentences for people: nouns for names, each thing said once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ase import Atoms

from ..crystal.chemistry import chemical_class
from ..models.training_crystals import TrainingCrystal
from ..models.uncertainty import LEVELS, RELATIVE
from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES

# What messages say to those who write code, and what they say to others.
_REMEDIES = (
    (r" Pass \w+=True to get it all the same\.", ""),
    (r"Look at `uncertainty`", "Look at the error bounds"),
    (r"model '([^']*)'", r"model \1"),
    (r"symprec = ", "a tolerance of "),
    (r"symprec", "the tolerance"),
    (r"(?<=[\s(])-(?=\d)", "−"),
    (r"(?<=[^.!?])$", "."),
)


@dataclass(frozen=True)
class Caution:
    """A warning or a refusal.

    heading: what it is about, in a few words. text: a sentence or more.
    names: of the quantities that it concerns; empty for all of them.
    """

    heading: str
    text: str
    names: tuple[str, ...]

    def concerns(self, names: Iterable[str]) -> bool:
        """Whether it is about one of these quantities in particular."""
        return not set(names).isdisjoint(self.names)


def flag_words(flag: str) -> str:
    """A flag in words: "unlike training data"."""
    return flag.replace("_", " ")


def listed(words: Iterable[str]) -> str:
    """ "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def nouns(names: Iterable[str]) -> str:
    """Quantities within a sentence: "stiffness and compliance"."""
    return listed(QUANTITIES[name].noun for name in names)


def readable(message: str) -> str:
    """A message with nouns in place of the names of quantities and settings."""
    name = "|".join(sorted(map(re.escape, QUANTITIES), key=len, reverse=True))
    text = re.sub(
        rf"\b(?:{name})(?:, (?:{name}))*\b", lambda found: nouns(found[0].split(", ")), message
    )
    for code, words in _REMEDIES:
        text = re.sub(code, words, text)
    return text


def cautions(prediction: Prediction) -> list[Caution]:
    """The warnings of a prediction; those that say the same of several quantities as one."""
    told = [
        (flag_words(w.flag).capitalize(), w.properties or (), str(w)) for w in prediction.warnings
    ]
    return _once(told)


def refusals(prediction: Prediction) -> list[Caution]:
    """What is not predicted, and why; the same reason once."""
    told = [("", (name,), str(error)) for name, error in prediction.refused.items()]
    return [
        Caution(_not_predicted(refusal.names), refusal.text, refusal.names)
        for refusal in _once(told)
    ]


def _not_predicted(names: tuple[str, ...]) -> str:
    text = f"{nouns(names)} {'is' if len(names) == 1 else 'are'} not predicted"
    return text[0].upper() + text[1:]


def _once(told: Iterable[tuple[str, tuple[str, ...], str]]) -> list[Caution]:
    """Headings, quantities and messages, in which those that differ in the quantities only are
    one."""
    place, names_of = "\0", {}  # type: tuple[str, dict[tuple[str, str], tuple[str, ...]]]
    for heading, names, message in told:
        key = heading, message.replace(", ".join(names), place) if names else message
        names_of[key] = tuple(dict.fromkeys((*names_of.get(key, ()), *names)))
    return [
        Caution(heading, readable(text.replace(place, ", ".join(names))), names)
        for (heading, text), names in names_of.items()
    ]


def held(atoms: Atoms, checked: Mapping[str, Mapping[str, Any]]) -> str:
    """How well bounds held for crystals of this kind, in a sentence; "" where that is not known.
    `checked` is the field `calibration` of a card."""
    group = chemical_class(atoms.numbers)
    told = []
    for name, quantity in QUANTITIES.items():
        own = checked.get(name, {}).get(RELATIVE, {})
        if quantity.inverse_of or group not in own.get("by_class", {}):
            continue
        share = 100 * own["by_class"][group][str(max(LEVELS))]
        number = own["crystals"][group]
        told.append(f"{share:.0f} % of {number} ({quantity.noun})")
    if not told:
        return ""
    return (
        f"Crystals like this one ({group}), none of which the networks had seen: the "
        f"{100 * max(LEVELS):.0f} % bounds hold for {listed(told)}."
    )


def told(seen: list[TrainingCrystal], prediction: Prediction) -> str:
    """Whether the crystal is in the training data, in a sentence or two."""
    same = list(dict.fromkeys(c.source_id for c in seen if c.same_structure))
    if prediction.known:
        entries = listed(dict.fromkeys(prediction.known.values()))
        names = [name for name in QUANTITIES if name in prediction.known]
        verb = "is" if len(names) == 1 else "are"
        return (
            f"This structure is in the training data. Its {nouns(names)} {verb} not predicted, but "
            f"from first principles, as was asked for: the data are those of {entries}."
        )
    if same:
        return (
            f"This structure is in the training data, as {listed(same)}: the model has seen its "
            "first-principles values, which stand beside the predicted ones on this page."
        )
    if any(crystal.same_structure is None for crystal in seen):
        return (
            "The formula is in the training data, in an entry whose structure is not on record; "
            "it may be this one."
        )
    if seen:
        return "The formula is in the training data, but only with other structures."
    return "Neither this structure nor its formula is in the training data."
