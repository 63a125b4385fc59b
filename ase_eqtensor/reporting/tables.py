"""The tables of a report: tensors with their symmetry, and scalars beside the training data."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..models.uncertainty import LEVELS
from ..prediction.known import Comparison
from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES, Quantity
from ..quantities.numbers import fixed, span, with_unit
from .comparison import Standing, standing
from .pattern import Pattern, tensor_pattern
from .subject import Subject

VOIGT = tuple(f"{k} {pair}" for k, pair in enumerate(("xx", "yy", "zz", "yz", "xz", "xy"), 1))
AXES = ("x", "y", "z")


def column_names(size: int) -> tuple[str, ...]:
    """Names of three axes, or of six strains in Voigt order."""
    return {len(names): names for names in (AXES, VOIGT)}[size]


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
    forbidden: whether symmetry makes all of it zero.
    """

    quantity: Quantity
    table: TensorTable
    pattern: Pattern
    series: list[tuple[str, str]]
    bounds: tuple[float, ...] | None
    references: list[tuple[TensorTable, float]]
    outside: bool
    known: str
    forbidden: bool
    ieee: TensorTable | None


def tensor_panel(quantity: Quantity, subject: Subject) -> TensorPanel:
    """The panel of a quantity that was predicted."""
    prediction, known, ieee = subject.prediction, subject.known, subject.ieee
    name, title = quantity.name, quantity.display.title
    tensor = prediction.tensors[name]
    pattern = tensor_pattern(quantity, subject.rotations)
    estimate = prediction.uncertainty.get(name)
    references = [
        (
            _table(f"First principles, {c.source_id}", quantity, c.tensors[name], pattern),
            quantity.relative_error(tensor, c.tensors[name]),
        )
        for c in subject.seen
        if c.same_structure and name in c.tensors and name not in prediction.known
    ]
    in_ieee = None
    if quantity.display.ieee and ieee is not None and tensor.any():
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
        bool(pattern.zero.all()),
        in_ieee,
    )


def _table(title: str, quantity: Quantity, tensor: np.ndarray, pattern: Pattern) -> TensorTable:
    (n, m), display = tensor.shape, quantity.display
    rows = []
    for i in range(n):
        row = []
        for j in range(m):
            text, group = fixed(tensor[i, j] * display.scale, display.decimals), pattern.group[i, j]
            # a first-principles tensor may break the symmetry, and then shows by how much
            zero = bool(pattern.zero[i, j]) and float(text.replace("−", "-")) == 0
            letter = chr(ord("a") + group) if group >= 0 else ""
            row.append(Entry("·" if zero else text, letter, zero, n == m and i > j))
        rows.append((column_names(n)[i], row))
    return TensorTable(title, display.unit, column_names(m), rows)


@dataclass(frozen=True)
class ScalarRow:
    """A line of the table of scalars; texts are empty where there is nothing to say.

    quantity: name of the tensor that it follows from.
    standing: where the value stands among the training data.
    reference: the value from first principles; outside: whether the interval does not contain it.
    """

    quantity: str
    label: str
    value: str
    interval: str
    standing: Standing | None
    reference: str
    outside: bool


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
        for scalar in QUANTITIES[name].scalars:
            value = prediction.scalars[scalar.name]
            taken = prediction.known.get(name)
            rows.append(
                ScalarRow(
                    name,
                    scalar.label,
                    with_unit(value, scalar.unit),
                    f"first principles, {taken}"
                    if taken
                    else span(prediction.interval(scalar.name)),
                    standing(value, training.get(scalar.name)),
                    with_unit(reference[scalar.name], scalar.unit)
                    if scalar.name in reference
                    else "",
                    scalar.name in outside,
                )
            )
    return rows
