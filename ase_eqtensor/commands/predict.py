"""The command `eqtensor predict`."""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from ase import Atoms
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from ..calculator import EqTensorCalculator
from ..errors import EqTensorError
from ..files.collections import expand
from ..files.store import check_output, freeze, is_address, save
from ..models.training_crystals import TrainingCrystal
from ..prediction.predictor import Prediction
from ..properties import PROPERTIES
from ..screening import predict_labelled
from .app import FAILED, PARTLY_FAILED, ModelName, app, messages

CHUNK = 64  # crystals between two steps of the progress bar
Predicted = tuple[str, Atoms, Prediction]
COLUMNS = (  # heading, property, scalar
    ("K, GPa", "elasticity_tensor", "k_vrh_gpa"),
    ("G, GPa", "elasticity_tensor", "g_vrh_gpa"),
    ("eps_inf", "electronic_dielectric_tensor", "trace_third"),
    ("eps_total", "dielectric_tensor", "trace_third"),
)


@app.command()
def predict(
    files: Annotated[
        list[str],
        typer.Argument(help="Crystals in any format that ASE reads, all frames; patterns too."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Write them to a .extxyz, .traj, .db or .json file as well."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the scalars as CSV.")] = False,
    model: ModelName = None,
) -> None:
    """Predict tensors with error estimates.

    In brackets: 90 % intervals; eps is a third of the trace. "Trained on" names the entry of the
    training data that has the same structure. Files that cannot be read or predicted do not stop
    the others: the exit code is 3 then, and 1 if nothing could be predicted.

    Examples: eqtensor predict TiO2.cif POSCAR
    eqtensor predict "cifs/*.cif" -o tensors.db && ase db tensors.db "k_vrh_gpa>100"
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose --json or --csv")
    if output and not is_address(output):
        check_output(Path(output), overwrite)
    collection = expand(files)
    keys = collection.keys()
    reading = track(keys, "reading", console=messages, transient=True, disable=len(keys) <= CHUNK)
    read = [crystal for key in reading for crystal in collection.read(key)]
    calculator = EqTensorCalculator(model)
    results = []
    for i in track(
        range(0, len(read), CHUNK),
        "predicting",
        console=messages,
        transient=True,
        disable=len(read) <= CHUNK,
    ):
        results += predict_labelled(calculator.predictor, read[i : i + CHUNK])
    good = [one for one in results if not isinstance(one, EqTensorError)]
    for failure in results:
        if isinstance(failure, EqTensorError):
            messages.print(str(failure), markup=False)
    if output and good:
        save(output, [freeze(atoms, entry, label) for label, atoms, entry in good], overwrite)
    if good:
        show = _print_json if as_json else _print_csv if as_csv else _print_table
        show(good, [calculator.seen(atoms) for _, atoms, _ in good])
    if len(good) < len(results):
        raise typer.Exit(PARTLY_FAILED if good else FAILED)


def _print_table(good: list[Predicted], known: list[list[TrainingCrystal]]) -> None:
    table = Table("crystal", *(heading for heading, *_ in COLUMNS), "flags", "trained on")
    for (label, _, entry), seen in zip(good, known):
        cells = [_cell(entry, name, scalar) for _, name, scalar in COLUMNS]
        table.add_row(escape(Path(label).name), *cells, ", ".join(entry.flags), _told(seen))
    Console().print(table)


def _print_csv(good: list[Predicted], known: list[list[TrainingCrystal]]) -> None:
    rows = []
    for (label, atoms, entry), seen in zip(good, known):
        row = {"source": label, "formula": atoms.get_chemical_formula()}
        for heading, name, scalar in COLUMNS:
            key = scalar if scalar != "trace_third" else heading
            if name in entry.uncertainty:
                interval = entry.uncertainty[name].scalars[scalar]
                row[key] = interval.value
                row[f"{key}_low_90"], row[f"{key}_high_90"] = interval.bounds[0.9]
            else:
                row |= dict.fromkeys((key, f"{key}_low_90", f"{key}_high_90"), "")
        rows.append({**row, "flags": " ".join(entry.flags), "trained_on": _told(seen)})
    writer = csv.DictWriter(sys.stdout, rows[0])
    writer.writeheader()
    writer.writerows(rows)


def _print_json(good: list[Predicted], known: list[list[TrainingCrystal]]) -> None:
    print(json.dumps([_record(*one, seen) for one, seen in zip(good, known)], indent=1))


def _cell(entry: Prediction, name: str, scalar: str) -> str:
    if name not in entry.uncertainty:
        return "refused" if name in entry.refused else "-"
    interval = entry.uncertainty[name].scalars[scalar]
    low, high = interval.bounds[0.9]
    return f"{interval.value:.3g} \\[{low:.3g}, {high:.3g}]"


def _told(seen: list[TrainingCrystal]) -> str:
    same = dict.fromkeys(crystal.source_id for crystal in seen if crystal.same_structure)
    return ", ".join(same) or ("its formula" if seen else "no")


def _record(label: str, atoms: Atoms, entry: Prediction, seen: list[TrainingCrystal]) -> dict:
    tensors = {name: tensor.tolist() for name, tensor in entry.tensors.items()}
    units = {name: PROPERTIES[name].unit for name in tensors}
    refused = {name: str(error) for name, error in entry.refused.items()}
    known = [
        {
            "source_id": one.source_id,
            "dataset": one.dataset,
            "same_structure": one.same_structure,
            "tensors": {name: tensor.tolist() for name, tensor in one.tensors.items()},
        }
        for one in seen
    ]
    formula = atoms.get_chemical_formula()
    rest = {"tensors": tensors, "units": units, "refused": refused, "seen": known}
    return {"source": label, "formula": formula, **rest, **entry.record()}
