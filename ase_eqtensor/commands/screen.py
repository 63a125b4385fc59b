"""The command `eqtensor screen`."""

from typing import Annotated, Any

import typer
from rich.console import Console

from ..errors import counted
from ..files import open_collection
from ..screening import screen as run_screen
from .app import (
    FAILED,
    PARTLY_FAILED,
    Address,
    Backend,
    ModelName,
    Workers,
    app,
    messages,
    resumable,
    tell_of_failures,
    tell_of_given,
    with_settings,
)


@app.command()
@with_settings
def screen(
    source: Annotated[
        str,
        typer.Argument(
            help="ASE database (file or postgresql:// address), folder, file of crystals, or list "
            "of paths."
        ),
    ],
    output: Annotated[
        str, typer.Argument(help="ASE database to write or to go on with: .db or postgresql://...")
    ],
    selection: Annotated[
        str, typer.Option("--select", help='Rows of a database, e.g. "natoms<20".')
    ] = "",
    pattern: Annotated[str, typer.Option(help="Files of a folder.")] = "*",
    backend: Backend = "local",
    address: Address = None,
    model: ModelName = None,
    workers: Workers = 1,
    *,
    settings: dict[str, Any],
) -> None:
    """Predict many crystals into an ASE database; run it again to go on after an interruption.

    Rows can be selected by all scalars (k_vrh_gpa, eps_total, ...), error bounds and flags.
    Crystals without a prediction are listed at the end; the exit code is 3 then.

    Examples: eqtensor screen cifs/ tensors.db --pattern "*.cif" --workers -1
    ase db tensors.db "k_vrh_gpa>100,eps_total>20"
    """
    collection = open_collection(source, selection, pattern)
    with resumable("predicting", f"whole shards are in {output}") as progress:
        report = run_screen(
            collection,
            output,
            model,
            workers=workers,
            backend=backend,
            address=address,
            progress=progress,
            **settings,
        )
    tell_of_given(report.given)
    if report.failures:
        failed = counted(len(report.failures), "crystal")
        messages.print(f"{failed} without a prediction:", markup=False)
        tell_of_failures(report.failures)
    were = "was" if report.present == 1 else "were"
    text = f"{counted(report.written, 'crystal')} written, {report.present} {were} there"
    Console().print(f"{output}: {text}", highlight=False)
    if report.failures:
        raise typer.Exit(PARTLY_FAILED if report.written + report.present else FAILED)
