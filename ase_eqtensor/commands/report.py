"""The command `eqtensor report`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import StructureError
from ..files.collections import Files
from ..reporting.report import write_report
from .app import ModelName, app, messages


@app.command()
def report(
    file: Annotated[Path, typer.Argument(help="Crystal in any format that ASE reads.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page to write; by default the file's name + .html."),
    ] = None,
    model: ModelName = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing page.")] = False,
) -> None:
    """Write a page about a crystal: tensors, error bounds, directional moduli, training data.

    The page is a single HTML file with rotatable pictures that opens offline.

    Example: eqtensor report TiO2.cif -o report.html
    """
    label, atoms = next(Files((str(file),)).read(str(file)))
    if isinstance(atoms, StructureError):
        raise type(atoms)(f"{label}: {atoms}")
    with messages.status("predicting and drawing"):
        page = write_report(atoms, output or Path(f"{file.stem}.html"), model, overwrite)
    print(page)
