"""The command `eqtensor report`."""

from pathlib import Path
from typing import Annotated

import typer

from ..calculator import EqTensorCalculator
from ..errors import StructureError, located
from ..files import Files
from ..reporting import report as write_report
from .app import (
    DEFAULTS,
    AllowUntrainedElements,
    Device,
    Dtype,
    ModelName,
    Symprec,
    app,
    messages,
)


@app.command()
def report(
    file: Annotated[Path, typer.Argument(help="Crystal in any format that ASE reads.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page to write; by default the file's name + .html."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing page.")] = False,
    model: ModelName = None,
    device: Device = DEFAULTS.device,
    dtype: Dtype = DEFAULTS.dtype,
    symprec: Symprec = DEFAULTS.symprec,
    allow_untrained_elements: AllowUntrainedElements = DEFAULTS.allow_untrained_elements,
) -> None:
    """Write a page about a crystal: tensors, error bounds, directional moduli, training data.

    The page is a single HTML file with rotatable pictures that opens offline.

    Example: eqtensor report TiO2.cif -o report.html
    """
    label, atoms = next(Files((str(file),)).read(str(file)))
    if isinstance(atoms, StructureError):
        raise located(atoms, label)
    calculator = EqTensorCalculator(
        model,
        device,
        dtype=dtype,
        symprec=symprec,
        allow_untrained_elements=allow_untrained_elements,
    )
    with messages.status("predicting and drawing"):
        page = write_report(atoms, output or Path(f"{file.stem}.html"), calculator, overwrite)
    print(page)
