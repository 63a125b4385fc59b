"""The command `eqtensor report`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import DataError, EqTensorError, StructureError, located
from ..extras import extra
from ..files import Files, expand
from ..parallel import in_parallel
from ..reporting import report as write_report
from ..screening import calculator_of
from ..storage import check_place
from .app import (
    FAILED,
    PARTLY_FAILED,
    ModelName,
    Workers,
    app,
    messages,
    tell_of_failures,
    with_settings,
)


@app.command()
@with_settings
def report(
    files: Annotated[
        list[str], typer.Argument(help="Crystals in any format that ASE reads; patterns too.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Page to write, or the folder for those of several crystals; by default pages are "
            "in the current folder, under the file's name + .html.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace existing pages.")] = False,
    model: ModelName = None,
    workers: Workers = 1,
    *,
    settings: dict[str, Any],
) -> None:
    """Write a page about each crystal: tensors, error bounds, directional moduli, training data.

    Of a trajectory the last frame is taken.

    A page is a single HTML file with rotatable pictures that opens offline. A file that cannot be
    read or predicted does not stop the others: the exit code is 3 then.

    Examples: eqtensor report TiO2.cif -o report.html
    eqtensor report "cifs/*.cif" -o pages --workers -1
    """
    with extra("report"):
        import jinja2  # noqa: F401
        import plotly  # noqa: F401
    collection = expand(files)
    pages = _pages(collection.keys(), output)
    for page in pages.values():
        check_place(page, overwrite)
    recipe = model, tuple(sorted(settings.items()))
    # absolute: a process that worked before may be in another folder
    tasks = [(recipe, collection, f, page.resolve(), overwrite) for f, page in pages.items()]
    failures: list[EqTensorError] = []
    with messages.status("predicting and drawing"):
        results = in_parallel(_write, tasks, workers)
        for (file, page), (frames, error) in zip(pages.items(), results):
            if frames > 1:
                messages.print(f"{file}: {frames} frames, the page is about the last", markup=False)
            if error is None:
                print(page)
            elif len(pages) == 1:
                raise error
            else:
                failures.append(error)
    tell_of_failures(failures)
    if failures:
        raise typer.Exit(PARTLY_FAILED if len(failures) < len(pages) else FAILED)


def _pages(files: list[str], output: Path | None) -> dict[str, Path]:
    """File -> page. Raises DataError where two files would have the same one."""
    if len(files) == 1 and output is not None and not output.is_dir():
        return {files[0]: output}
    folder = output or Path()
    if output is not None:
        folder.mkdir(parents=True, exist_ok=True)
    pages: dict[str, Path] = {}
    for file in files:
        page = folder / f"{Path(file).stem}.html"
        if page in pages.values():
            twin = next(name for name, other in pages.items() if other == page)
            raise DataError(f"{twin} and {file} would both have the page {page}: rename one file")
        pages[file] = page
    return pages


def _write(
    recipe: tuple, collection: Files, file: str, page: Path, overwrite: bool
) -> tuple[int, EqTensorError | None]:
    """Write the page of a file's last crystal, the relaxed one of a trajectory.

    Returns the number of crystals in the file, and the reason where there is no page.
    """
    crystals = list(collection.read(file))
    label, atoms = crystals[-1]
    try:
        if isinstance(atoms, StructureError):
            raise located(atoms, label)
        write_report(atoms, page, calculator_of(*recipe), overwrite)
    except EqTensorError as error:
        return len(crystals), error
    return len(crystals), None
