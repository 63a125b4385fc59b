"""Predictions on the terminal: as a table, CSV and JSON."""

import csv
import json
import sys
from pathlib import Path

from ase import Atoms
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..models.store import Model
from ..models.training_crystals import TrainingCrystal
from ..prediction.prediction import Prediction
from ..prediction.predictor import Labelled
from ..quantities import Quantity, Scalar
from .app import messages

UNCALIBRATED = "the errors of model {!r} were never calibrated: it gives values without intervals"


def print_table(model: Model, predicted: list[Labelled]) -> None:
    """The headline scalars with their intervals."""
    if not model.card.calibrated:
        Console(highlight=False).print(UNCALIBRATED.format(model.name))
    columns = [
        (quantity, scalar)
        for quantity in model.quantities.values()
        for scalar in quantity.scalars
        if scalar.headline
    ]
    headings = (scalar.heading for _, scalar in columns)
    table = Table("crystal", *headings, "flags", "trained on")
    for label, atoms, prediction in predicted:
        cells = [_cell(prediction, quantity, scalar) for quantity, scalar in columns]
        trained_on = _told(model.seen(atoms))
        table.add_row(escape(Path(label).name), *cells, ", ".join(prediction.flags), trained_on)
    Console().print(table)


def print_csv(model: Model, predicted: list[Labelled]) -> None:
    """All scalars, with the ends of the 90 % intervals of those that the model has errors of."""
    _warn_if_uncalibrated(model)
    scalars = [s.name for quantity in model.quantities.values() for s in quantity.scalars]
    calibrated = {name for entry in model.card.uncertainty.values() for name in entry.scales}
    rows = []
    for label, atoms, prediction in predicted:
        row: dict[str, object] = {"source": label, "formula": atoms.get_chemical_formula()}
        for name in scalars:
            row[name] = prediction.scalars.get(name, "")
            if name in calibrated:
                low, high = prediction.interval(name) or ("", "")
                row |= {f"{name}_low_90": low, f"{name}_high_90": high}
        row |= {"flags": " ".join(prediction.flags), "trained_on": _told(model.seen(atoms))}
        rows.append(row)
    writer = csv.DictWriter(sys.stdout, rows[0])
    writer.writeheader()
    writer.writerows(rows)


def print_json(model: Model, predicted: list[Labelled]) -> None:
    """Everything that is known of each crystal."""
    _warn_if_uncalibrated(model)
    print(json.dumps([_record(model, *crystal) for crystal in predicted], indent=1))


def _warn_if_uncalibrated(model: Model) -> None:
    if not model.card.calibrated:
        messages.print(UNCALIBRATED.format(model.name), markup=False)


def _cell(prediction: Prediction, quantity: Quantity, scalar: Scalar) -> str:
    if quantity.name in prediction.refused:
        return "refused"
    text = f"{prediction.scalars[scalar.name]:.3g}"
    if (interval := prediction.interval(scalar.name)) is None:
        return text
    low, high = interval
    return f"{text} \\[{low:.3g}, {high:.3g}]"


def _told(seen: list[TrainingCrystal]) -> str:
    same = dict.fromkeys(crystal.source_id for crystal in seen if crystal.same_structure)
    return ", ".join(same) or ("its formula" if seen else "no")


def _record(model: Model, label: str, atoms: Atoms, prediction: Prediction) -> dict:
    tensors = {name: tensor.tolist() for name, tensor in prediction.tensors.items()}
    seen = [
        {
            "source_id": crystal.source_id,
            "dataset": crystal.dataset,
            "same_structure": crystal.same_structure,
            "tensors": {name: tensor.tolist() for name, tensor in crystal.tensors.items()},
        }
        for crystal in model.seen(atoms)
    ]
    return {
        "source": label,
        "formula": atoms.get_chemical_formula(),
        "tensors": tensors,
        "units": {name: model.quantities[name].unit for name in tensors},
        "refused": {name: str(error) for name, error in prediction.refused.items()},
        "calibrated": model.card.calibrated,
        "seen": seen,
        **prediction.record(),
    }
