"""The command `eqtensor report`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DataError, EqTensorError, StructureError, located
from ..extras import extra
from ..files import STANDARD_INPUT, Crystal, Files, expand, is_folder
from ..parallel import in_parallel
from ..reporting.write import write_index, write_page
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
    tell_of_skipped,
    with_settings,
)

if TYPE_CHECKING:
    from ..reporting.index import Listed

INDEX = "index.html"


@dataclass(frozen=True)
class _Task:
    """A page to write.

    recipe: of the calculator. source: the file, or its crystals where another process could not
    read it. page: where to write; index: the page that lists it, "" for none.
    """

    recipe: tuple
    source: tuple[Files, str] | list[Crystal]
    page: Path
    index: str
    overwrite: bool


@app.command()
@with_settings
def report(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Crystals in any format that ASE reads; folders and patterns, too; - is standard "
            "input."
        ),
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

    Of a trajectory the last frame is taken. Several crystals get a page that lists them, too:
    index.html, a table to sort and to filter.

    A page is a single HTML file with rotatable pictures that opens offline. A file that cannot be
    read or predicted does not stop the others: the exit code is 3 then.

    Examples: eqtensor report TiO2.cif -o report.html
    eqtensor report cifs/ -o pages --workers -1
    """
    with extra("report"):
        import jinja2  # noqa: F401
        import plotly  # noqa: F401
    collection = expand(files, output=output)
    tell_of_skipped(collection.skipped)
    several = len(collection.keys()) > 1 or any(is_folder(Path(file)) for file in files)
    pages = _pages(collection.keys(), output, several)
    index = _folder(output) / INDEX if several else None
    for page in [*pages.values(), *([index] if index else [])]:
        check_place(page, overwrite)
    recipe = model, tuple(sorted(settings.items()))
    tasks = [
        _Task(
            recipe,
            list(collection.read(file)) if file == STANDARD_INPUT else (collection, file),
            page.resolve(),  # a process that worked before may be in another folder
            INDEX if index else "",
            overwrite,
        )
        for file, page in pages.items()
    ]
    failures: list[EqTensorError] = []
    listed: list[Listed] = []
    reasons: dict[str, str] = {}
    with messages.status("predicting and drawing"):
        results = in_parallel(_write, [(file, task) for file, task in zip(pages, tasks)], workers)
        for (file, page), (frames, made) in zip(pages.items(), results):
            if frames > 1:
                messages.print(f"{file}: {frames} frames, the page is about the last", markup=False)
            if not isinstance(made, EqTensorError):
                listed.append(made)
                print(page)
            elif not several:
                raise made
            else:
                failures.append(made)
                reasons[file] = str(made)
    if index and listed:
        write_index(index, listed, reasons, overwrite)
        print(index)
    tell_of_failures(failures)
    if failures:
        raise typer.Exit(PARTLY_FAILED if listed else FAILED)


def _folder(output: Path | None) -> Path:
    return output or Path()


def _pages(files: list[str], output: Path | None, several: bool) -> dict[str, Path]:
    """File -> page. Raises DataError where two files would have the same one, or that of the list,
    which `several` have."""
    if not several and output is not None and not output.is_dir():
        return {files[0]: output}
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
    pages: dict[str, Path] = {}
    for file, stem in zip(files, _stems(files)):
        page = _folder(output) / f"{stem}.html"
        if page in pages.values():
            twin = next(name for name, other in pages.items() if other == page)
            raise DataError(f"{twin} and {file} would both have the page {page}: rename one file")
        if page.name == INDEX and several:
            raise DataError(f"{file} would have the page {page}, which lists all: rename the file")
        pages[file] = page
    return pages


def _stems(files: Sequence[str]) -> list[str]:
    """Names of files without ending, with those of folders before them where that tells several of
    one name apart: calc1-POSCAR, calc2-POSCAR."""
    parts = [
        ("stdin",) if file == STANDARD_INPUT else Path(file).resolve().with_suffix("").parts[1:]
        for file in files
    ]
    depth = [1] * len(files)
    while True:
        stems = ["-".join(names[-n:]) for names, n in zip(parts, depth)]
        deeper = [
            n + 1 if stems.count(stem) > 1 and n < len(names) else n
            for stem, names, n in zip(stems, parts, depth)
        ]
        if deeper == depth:
            return stems
        depth = deeper


def _write(file: str, task: _Task) -> "tuple[int, Listed | EqTensorError]":
    """Write the page of a file's last crystal, the relaxed one of a trajectory.

    Returns the number of crystals in the file, and the crystal in the list, or why there is no
    page.
    """
    if isinstance(task.source, list):
        crystals = task.source
    else:
        collection, key = task.source
        crystals = list(collection.read(key))
    label, atoms = crystals[-1]
    try:
        if isinstance(atoms, StructureError):
            raise atoms
        calculator = calculator_of(*task.recipe)
        subject = write_page(atoms, task.page, calculator, task.overwrite, task.index)
    except EqTensorError as error:
        return len(crystals), located(error, label)
    from ..reporting.index import Listed  # needs the extra

    return len(crystals), Listed.of(subject, file, task.page)
