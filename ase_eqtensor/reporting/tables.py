"""The tables of a report: tensors with their symmetry, and scalars beside the training data."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..models.training_crystals import TrainingCrystal
from ..models.uncertainty import LEVELS
from ..prediction.known import Comparison
from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES, Quantity
from .comparison import Standing, standing
from .numbers import fixed, number
from .pattern import Pattern, tensor_pattern

VOIGT = tuple(f"{k} {pair}" for k, pair in enumerate(("xx", "yy", "zz", "yz", "xz", "xy"), 1))
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Entry:
    """One entry of a tensor: its text, the letter that it shares with entries linked to it by
    symmetry ("" for none), whether it vanishes by symmetry, and whether it repeats one of the
    upper triangle."""

    text: str
    letter: str = ""
    zero: bool = False
    lower: bool = False


@dataclass(frozen=True)
class TensorTable:
    """A tensor as a reader sees it.

    title, unit: of the whole; labels: of columns. rows: each with its label.
    """

    title: str
    unit: str
    labels: tuple[str, ...]
    rows: list[tuple[str, list[Entry]]]


@dataclass(frozen=True)
class TensorPanel:
    """A predicted tensor with all that belongs to it.

    quantity: what it is.
    series: label and values of each of the quantity's series, as text.
    bounds: relative error, (expected, safe) for one crystal in two and nine in ten; None if the
        model was never calibrated.
    ieee: the tensor in IEEE axes, for those that people expect so.
    references: the same tensor from first principles, each with the relative error of the
        predicted one.
    outside: whether the closest of these is outside the stated 90 % bound.
    known: the entry of the training data that the tensor itself is from; "" if it is predicted.
    """

    quantity: Quantity
    table: TensorTable
    pattern: Pattern
    series: list[tuple[str, str]]
    bounds: tuple[float, ...] | None
    references: list[tuple[TensorTable, float]]
    outside: bool
    known: str
    ieee: TensorTable | None


def tensor_panel(
    quantity: Quantity,
    prediction: Prediction,
    rotations: np.ndarray,
    seen: list[TrainingCrystal],
    known: Mapping[str, Comparison],
    ieee: np.ndarray | None,
) -> TensorPanel:
    """The panel of a quantity that was predicted.

    Args:
        quantity: which.
        prediction: of the crystal.
        rotations: (G, 3, 3) its Cartesian point group.
        seen: crystals of the training data with its formula.
        known: quantity -> what the closest of them knows.
        ieee: (3, 3) rotation to its IEEE axes; None where they are not known.
    """
    name, title = quantity.name, quantity.display.title
    tensor = prediction.tensors[name]
    pattern = tensor_pattern(quantity, rotations)
    estimate = prediction.uncertainty.get(name)
    references = [
        (
            _table(f"First principles, {c.source_id}", quantity, c.tensors[name], pattern),
            quantity.relative_error(tensor, c.tensors[name]),
        )
        for c in seen
        if c.same_structure and name in c.tensors and name not in prediction.known
    ]
    in_ieee = None
    if quantity.display.ieee and ieee is not None:
        turned = quantity.rotate(tensor, ieee)
        shape = turned.shape  # no marks: the frame is not the crystal's
        bare = Pattern(np.isclose(turned, 0, atol=1e-6), np.full(shape, -1), (), (), 0)
        in_ieee = _table(f"{title} in IEEE axes", quantity, turned, bare)
    return TensorPanel(
        quantity,
        _table(title, quantity, tensor, pattern),
        pattern,
        [
            (series.label, ", ".join(fixed(x, series.decimals) for x in series.of(tensor)))
            for series in quantity.series
        ],
        None if estimate is None else tuple(estimate.relative_error[q] for q in LEVELS),
        references,
        name in known[name].outside if name in known else False,
        prediction.known.get(name, ""),
        in_ieee,
    )


def _table(title: str, quantity: Quantity, tensor: np.ndarray, pattern: Pattern) -> TensorTable:
    (n, m), display = tensor.shape, quantity.display
    labels = {len(names): names for names in (AXES, VOIGT)}
    rows = []
    for i in range(n):
        row = []
        for j in range(m):
            text, group = fixed(tensor[i, j] * display.scale, display.decimals), pattern.group[i, j]
            # a first-principles tensor may break the symmetry, and then shows by how much
            zero = bool(pattern.zero[i, j]) and float(text.replace("−", "-")) == 0
            letter = chr(ord("a") + group) if group >= 0 else ""
            row.append(Entry("·" if zero else text, letter, zero, n == m and i > j))
        rows.append((labels[n][i], row))
    return TensorTable(title, display.unit, labels[m], rows)


@dataclass(frozen=True)
class ScalarRow:
    """A line of the table of scalars; texts are empty where there is nothing to say.

    standing: where the value stands among the training data.
    reference: the value from first principles; outside: whether the interval does not contain it.
    flags: of warnings that concern it.
    """

    label: str
    value: str
    interval: str
    standing: Standing | None
    reference: str
    outside: bool
    flags: tuple[str, ...]


def scalar_rows(
    prediction: Prediction,
    known: Mapping[str, Comparison],
    training: Mapping[str, np.ndarray],
) -> list[ScalarRow]:
    """Lines of all scalars of the tensors that were predicted.

    Args:
        prediction: of the crystal.
        known: quantity -> its value from first principles.
        training: name of the scalar -> its values (N,) in the training data.
    """
    rows = []
    for name in prediction.tensors:
        comparison = known.get(name)
        reference = comparison.scalars if comparison else {}
        outside = comparison.outside if comparison else ()
        concerning = (w for w in prediction.warnings_for(name) if w.properties)
        flags = tuple(dict.fromkeys(w.flag.replace("_", " ") for w in concerning))
        for scalar in QUANTITIES[name].scalars:
            value = prediction.scalars[scalar.name]
            interval = prediction.interval(scalar.name)
            ends = " to ".join(number(end) for end in interval) if interval else ""
            taken = prediction.known.get(name)
            rows.append(
                ScalarRow(
                    scalar.label,
                    f"{number(value)} {scalar.unit}".strip(),
                    f"first principles, {taken}" if taken else ends,
                    standing(value, training.get(scalar.name)),
                    f"{number(reference[scalar.name])} {scalar.unit}".strip()
                    if scalar.name in reference
                    else "",
                    scalar.name in outside,
                    flags,
                )
            )
    return rows
