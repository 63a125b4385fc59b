"""The command `eqtensor report`."""

from pathlib import Path
from typing import Annotated

import typer
from ase.io import read

from ..errors import StructureError
from ..report import write_report
from .app import Model, app


@app.command()
def report(
    file: Annotated[Path, typer.Argument(help="Crystal in any format that ASE reads.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page to write; by default the file's name + .html."),
    ] = None,
    model: Model = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing page.")] = False,
) -> None:
    """Write a page about a crystal: tensors, error bounds, directional moduli, training data.

    The page is a single HTML file with rotatable pictures that opens offline.

    Example: eqtensor report TiO2.cif -o report.html
    """
    try:
        atoms = read(file)
    except Exception as error:  # ASE's readers raise whatever a broken file leads to
        text = str(error) or type(error).__name__
        raise StructureError(f"{file} cannot be read: {text}") from error
    print(write_report(atoms, output or Path(f"{file.stem}.html"), model, overwrite))
