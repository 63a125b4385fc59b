"""The command `eqtensor screen`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..files.collections import open_collection
from ..screening import screen as run_screen
from .app import FAILED, PARTLY_FAILED, ModelName, app, messages


@app.command()
def screen(
    source: Annotated[
        str,
        typer.Argument(
            help="ASE database (file or postgresql:// address), folder, or list of paths."
        ),
    ],
    output: Annotated[
        str, typer.Argument(help="ASE database to write or to go on with: .db or postgresql://...")
    ],
    selection: Annotated[
        str, typer.Option("--select", help='Rows of a database, e.g. "natoms<20".')
    ] = "",
    pattern: Annotated[str, typer.Option(help="Files of a folder.")] = "*",
    workers: Annotated[int, typer.Option("--workers", "-j", help="Processes; -1: all cores.")] = -1,
    backend: Annotated[str, typer.Option(help="local, dask or ray.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Running Dask scheduler or Ray cluster.")
    ] = None,
    allow_untrained_elements: Annotated[
        bool, typer.Option(help="Predict elements that the training data lack, with a flag.")
    ] = False,
    model: ModelName = None,
) -> None:
    """Predict many crystals into an ASE database; run it again to go on after an interruption.

    Rows can be selected by k_vrh_gpa, g_vrh_gpa, anisotropy, eps_inf, eps_total, error bounds and
    flags. Crystals without a prediction are listed at the end; the exit code is 3 then.

    Examples: eqtensor screen cifs/ tensors.db --pattern "*.cif"
    ase db tensors.db "k_vrh_gpa>100,eps_total>20"
    """
    collection = open_collection(source, selection, pattern)
    with Progress(console=messages, transient=True) as bar:
        task = bar.add_task("predicting", total=None)
        report = run_screen(
            collection,
            output,
            model,
            allow_untrained_elements=allow_untrained_elements,
            workers=workers,
            backend=backend,
            address=address,
            progress=lambda done, items: bar.update(task, completed=done, total=items),
        )
    if report.failures:
        table = Table("no prediction for", title=f"{len(report.failures)} crystals failed")
        for failure in report.failures:
            table.add_row(failure)
        messages.print(table, markup=False)
    Console().print(
        f"{output}: {report.written} crystals written, {report.found} were there", highlight=False
    )
    if report.failures:
        raise typer.Exit(PARTLY_FAILED if report.written + report.found else FAILED)
