"""Predictions on the terminal, as a table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..crystal.formula import reduced_formula
from ..errors import SettingError, counted, did_you_mean
from ..models.training_crystals import TrainingCrystal
from ..prediction.known import Comparison, compared
from ..prediction.prediction import Prediction
from ..prediction.predictor import Labelled, Predictor
from ..prediction.settings import MEASURED
from ..quantities import QUANTITIES, Quantity, Scalar
from .app import SHOWN, messages, with_options

UNCALIBRATED = "the errors of model {!r} were never calibrated: it gives values without intervals"
UNBOUND = 10_000  # columns, to find how wide a table would like to be
KNOWN, KNOWN_MARK, OUTSIDE = "first principles", "=", "!"  # a row of the table, and marks


class _Row(NamedTuple):
    """A row of the table: a crystal, or, without a formula, what is known of the one above."""

    name: str
    formula: str
    numbers: list[str]
    flags: str = ""
    trained_on: str = ""

    @property
    def cells(self) -> list[str]:
        return [self.name, self.formula, *self.numbers, self.flags, self.trained_on]


def chosen(predictor: Predictor, names: str | None) -> list[Quantity]:
    """The quantities that a comma-separated list names, with or without "_tensor"; None for all.

    Raises SettingError, with the names that there are, for another.
    """
    offered = {quantity.stem: quantity for quantity in predictor.model.quantities.values()}
    if names is None:
        return list(offered.values())
    wanted = [name.strip().removesuffix("_tensor") for name in names.split(",")]
    for name in wanted:
        if name not in offered:
            raise SettingError(
                f"--quantities {names}: model {predictor.model.name!r} has no {name!r}"
                f"{did_you_mean(name, offered)}, only {', '.join(offered)}"
            )
    return [quantity for stem, quantity in offered.items() if stem in wanted]


def print_table(
    predictor: Predictor, predicted: list[Labelled], quantities: Sequence[Quantity]
) -> None:
    """The headline scalars of the quantities with their intervals, each on one line, and the known
    values below; without tensors that symmetry forbids in all crystals.

    Where the terminal is too narrow for a table, names and numbers have lines of their own. Names
    are never cut.
    """
    model = predictor.model
    console = Console(highlight=False)
    if not model.card.calibrated:
        console.print(UNCALIBRATED.format(model.name))
    if predictor.settings.level == MEASURED:
        console.print("values and intervals as a measurement would find them, at room temperature")
    columns = [
        (quantity, scalar)
        for quantity in _allowed(quantities, predicted)
        for scalar in quantity.scalars
        if scalar.headline
    ]
    numbers = [scalar.heading for _, scalar in columns]
    headings = _Row("crystal", "formula", numbers, "flags", "trained on")
    names, short = _names([label for label, *_ in predicted]), _short_flags(predicted)
    rows = []
    for name, (_, atoms, prediction) in zip(names, predicted):
        cells = [_cell(prediction, quantity, scalar) for quantity, scalar in columns]
        flags = " ".join(told_flags(prediction, short))
        seen = model.seen(atoms, predictor.symprec)
        rows.append(_Row(name, reduced_formula(atoms), cells, flags, told_training(seen)))
        known = compared(prediction, seen)
        known = {name: value for name, value in known.items() if name not in prediction.known}
        if known:
            told = [_known_cell(known, quantity, scalar) for quantity, scalar in columns]
            rows.append(_Row(KNOWN, "", told))
    table = Table(*headings.cells)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.cells))
    if console.measure(table, options=console.options.update(width=UNBOUND)).maximum <= (
        console.width
    ):
        console.print(table)
    else:
        _print_narrow(console, headings, rows)
    for flag, letters in short.items():
        console.print(Text(f"{letters}: {flag}"), soft_wrap=True)
    _print_refusals(console, quantities, dict(zip(names, predicted)))
    if any(cell.endswith(OUTSIDE) for row in rows if not row.formula for cell in row.numbers):
        console.print(f"{OUTSIDE} outside the 90 % interval")


def _print_refusals(
    console: Console, quantities: Sequence[Quantity], predicted: Mapping[str, Labelled]
) -> None:
    """Why tensors in the table were refused, a line for each of the first crystals."""
    reasons = []
    for name, (*_, prediction) in predicted.items():
        errors = [prediction.refused[q.name] for q in quantities if q.name in prediction.refused]
        reasons += [f"refused, {name}: {with_options(str(error))}" for error in errors[:1]]
    for reason in reasons[:SHOWN]:
        console.print(Text(reason), soft_wrap=True)
    if len(reasons) > SHOWN:
        more = counted(len(reasons) - SHOWN, "more crystal")
        console.print(f"refused, {more}: --json says why")


def _print_narrow(console: Console, headings: _Row, rows: list[_Row]) -> None:
    """A line with name, flags and training data of each crystal, and as many with its numbers as
    the width asks for; known numbers follow."""
    columns = zip(*(row.numbers for row in (headings, *rows)))
    widths = [max(map(len, column)) for column in columns]
    starts, used = [0], 0  # the first column of each line
    for i, width in enumerate(widths):
        if used + width + 2 > console.width and i > starts[-1]:
            starts, used = [*starts, i], 0
        used += width + 2

    def line(row: _Row) -> Text:
        padded = [cell.ljust(width) for cell, width in zip(row.numbers, widths)]
        parts = [padded[i:j] for i, j in zip(starts, [*starts[1:], None])]
        while len(parts) > 1 and not any(map(str.strip, parts[-1])):
            del parts[-1]
        mark = " " if row.formula else KNOWN_MARK
        lines = [f"{mark} {'  '.join(part)}".rstrip() for part in parts]
        return Text("\n".join(lines), overflow="fold")

    console.print(Text(f"{headings.name}\n") + line(headings), style="bold")
    for row in rows:
        if row.formula:
            told = (row.formula, row.flags, f"{headings.trained_on}: {row.trained_on}")
            console.print(Text("  ".join([row.name, *filter(None, told)]), overflow="fold"))
        console.print(line(row))
    if not all(row.formula for row in rows):
        console.print(f"{KNOWN_MARK} {KNOWN}")


def _allowed(quantities: Sequence[Quantity], predicted: Sequence[Labelled]) -> Sequence[Quantity]:
    """The quantities that are not zero in every crystal; all of them, if they all are."""

    def there(quantity: Quantity) -> bool:
        tensors = [prediction.tensors.get(quantity.name) for *_, prediction in predicted]
        return any(tensor is None or tensor.any() for tensor in tensors)

    return [quantity for quantity in quantities if there(quantity)] or quantities


def _names(labels: list[str]) -> list[str]:
    """The file names of the labels, or the whole labels where files of one name are among them."""
    short = [Path(label).name for label in labels]
    return short if len(set(short)) == len(set(labels)) else labels


def _short_flags(predicted: list[Labelled]) -> dict[str, str]:
    """Flag -> its initials, of all flags that are raised, or itself where two have the same."""
    flags = dict.fromkeys(flag for *_, prediction in predicted for flag in prediction.flags)
    initials = {flag: "".join(word[0] for word in flag.upper().split("_")) for flag in flags}
    counts = Counter(initials.values())
    return {flag: x if counts[x] == 1 else flag for flag, x in initials.items()}


def told_flags(prediction: Prediction, names: dict[str, str]) -> list[str]:
    """The flags by their `names`, with the tensors that each concerns in brackets, if not all."""
    told = []
    for flag, concerned in prediction.concerns.items():
        some = concerned and len(concerned) < len(prediction.tensors)
        tensors = ",".join(QUANTITIES[name].display.short for name in concerned)
        told.append(f"{names[flag]}({tensors})" if some else names[flag])
    return told


def uncalibrated(predictor: Predictor) -> None:
    """Say, beside the output, that the model gives no intervals, if it gives none."""
    if not predictor.model.card.calibrated:
        messages.print(UNCALIBRATED.format(predictor.model.name), markup=False)


def _cell(prediction: Prediction, quantity: Quantity, scalar: Scalar) -> str:
    if quantity.name in prediction.refused:
        return "refused"
    text = f"{prediction.scalars[scalar.name]:.3g}"
    if quantity.name in prediction.known:
        return f"{text} ({prediction.known[quantity.name]})"
    if (interval := prediction.interval(scalar.name)) is None:
        return text
    low, high = interval
    return f"{text} [{low:.3g}, {high:.3g}]" if high > low else text  # zero by symmetry


def _known_cell(known: Mapping[str, Comparison], quantity: Quantity, scalar: Scalar) -> str:
    if (value := known.get(quantity.name)) is None:
        return ""
    mark = OUTSIDE if scalar.name in value.outside else ""
    return f"{value.scalars[scalar.name]:.3g}{mark}"


def told_training(seen: list[TrainingCrystal]) -> str:
    """The entries of the training data with the same structure, "its formula" or "no"."""
    same = dict.fromkeys(crystal.source_id for crystal in seen if crystal.same_structure)
    return ", ".join(same) or ("its formula" if seen else "no")
