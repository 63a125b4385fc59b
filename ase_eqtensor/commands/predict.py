"""The command `eqtensor predict`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from ase import Atoms
from ase.io import read
from rich.console import Console
from rich.table import Table

from ..calculator import EqTensorCalculator
from ..errors import EqTensorError, StructureError
from ..prediction import Prediction
from ..training_crystals import TrainingCrystal
from .app import FAILED, Model, app

COLUMNS = (  # heading, property, scalar
    ("K, GPa", "elasticity_tensor", "k_vrh_gpa"),
    ("G, GPa", "elasticity_tensor", "g_vrh_gpa"),
    ("eps_inf", "electronic_dielectric_tensor", "trace_third"),
    ("eps_total", "dielectric_tensor", "trace_third"),
)


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="Crystals in any format that ASE reads.")],
    model: Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Predict tensors with error estimates.

    In brackets: 90 % intervals; eps is a third of the trace. "Trained on" names the entry of the
    training data that has the same structure. Files that cannot be read or predicted do not stop
    the others; the exit code is 1 then.

    Example: eqtensor predict TiO2.cif POSCAR
    """
    calculator = EqTensorCalculator(model)
    table = Table("crystal", *(heading for heading, *_ in COLUMNS), "flags", "trained on")
    everything, failed = [], False
    for path in files:
        try:
            atoms = _read(path)
            entry = calculator.predictor.predict_one(atoms)
            if entry.error:
                raise entry.error
        except EqTensorError as error:
            Console(stderr=True).print(f"{path}: {error}", highlight=False, soft_wrap=True)
            failed = True
            continue
        seen = calculator.seen(atoms)
        everything.append(_record(path, entry, seen))
        cells = [_cell(entry, name, scalar) for _, name, scalar in COLUMNS]
        table.add_row(path.name, *cells, ", ".join(entry.flags), _told(seen))
    if as_json:
        print(json.dumps(everything, indent=1))
    elif everything:
        Console().print(table)
    if failed:
        raise typer.Exit(FAILED)


def _read(path: Path) -> Atoms:
    try:
        return read(path)
    except Exception as error:  # ASE's readers raise whatever a broken file leads to
        text = str(error) or type(error).__name__
        raise StructureError(f"cannot be read: {text}") from error


def _cell(entry: Prediction, name: str, scalar: str) -> str:
    if name not in entry.uncertainty:
        return "refused" if name in entry.refused else "-"
    interval = entry.uncertainty[name].scalars[scalar]
    low, high = interval.bounds[0.9]
    return f"{interval.value:.3g} \\[{low:.3g}, {high:.3g}]"


def _told(seen: list[TrainingCrystal]) -> str:
    same = dict.fromkeys(crystal.source_id for crystal in seen if crystal.same_structure)
    return ", ".join(same) or ("its formula" if seen else "no")


def _record(path: Path, entry: Prediction, seen: list[TrainingCrystal]) -> dict:
    tensors = {name: tensor.tolist() for name, tensor in entry.tensors.items()}
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
    rest = {"tensors": tensors, "refused": refused, "seen": known}
    return {"file": str(path), **rest, **entry.record()}
