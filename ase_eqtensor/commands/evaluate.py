"""The command `eqtensor evaluate`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..extras import extra
from ..models.store import load_model
from .app import DEFAULT_DATABASE, Database, app, console


@app.command()
def evaluate(
    model: Annotated[str | None, typer.Argument(help="Shipped model or .safetensors file.")] = None,
    database: Database = DEFAULT_DATABASE,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")] = Path(
        "evaluation"
    ),
    part: Annotated[str, typer.Option(help="test, or val for making choices.")] = "test",
) -> None:
    """Score a model on its fold; writes report.json and parity plots.

    Example: eqtensor evaluate runs/joint-fold0-seed0/joint-fold0-seed0.safetensors --part val
    """
    with extra("train"):
        from ase_eqtensor.train.data.database import read_database
        from ase_eqtensor.train.scoring.evaluate import evaluate as evaluate_model
        from ase_eqtensor.train.scoring.evaluate import write_report

    if part not in ("val", "test"):
        raise typer.BadParameter(f"{part!r}: choose val or test", param_hint="--part")
    report = evaluate_model(load_model(model), read_database(database), part)
    console.print(f"{report['model']}, {part} parts of folds {report['folds']}")
    for name, figures in report["figures"].items():
        table = Table(name, "value [95 % interval]")
        for key, value in figures.items():
            table.add_row(key, _cell(value))
        console.print(table)
    for path in write_report(report, output):
        console.print(path)


def _cell(value) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict) and "low" in value:
        return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    if isinstance(value, dict):
        return " ".join(f"{k} {_cell(v)}" for k, v in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
