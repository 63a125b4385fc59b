"""The commands `eqtensor data build` and `eqtensor data fetch`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..errors import counted
from ..extras import extra
from .app import DEFAULT_DATABASE, app, console

data = typer.Typer(no_args_is_help=True, help="Obtain, check and store training data.")
app.add_typer(data, name="data")


@data.command()
def build(
    output: Annotated[Path, typer.Argument(help="Database to write.")] = DEFAULT_DATABASE,
    archive: Annotated[
        Path | None,
        typer.Option(help="Local matminer-0.3.9.tar.gz, instead of downloading it with pip."),
    ] = None,
    moduli: Annotated[
        Path | None, typer.Option(help="Table of K and G (JSON, may be gzipped).")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Labels by `eqtensor data label`, of the same crystals or of others."),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", help="Crystals of your own: extxyz, ASE db or pymatgen JSON."),
    ] = None,
    fetched: Annotated[
        list[Path] | None, typer.Option("--fetched", help="File of `eqtensor data fetch`.")
    ] = None,
    public: Annotated[
        bool, typer.Option(help="Include the public Materials Project tensor sets of 2015-2018.")
    ] = True,
    mix_functionals: Annotated[
        bool, typer.Option("--mix-functionals", help="Accept sources of different functionals.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing database.")] = False,
) -> None:
    """Check training data of all sources and write them to one database.

    Example: eqtensor data build crystals.db --file my_tensors.extxyz
    """
    with extra("data"):
        from ase_eqtensor.train.data.database import build_database
        from ase_eqtensor.train.data.sources import collect
        from ase_eqtensor.train.teacher.labels import read_label_files
        from ase_eqtensor.train.teacher.source import LabelledSource, OwnLabels

    sources = collect(
        archive,
        moduli,
        files or (),
        matminer=public,
        fetched=fetched or (),
        mix_functionals=mix_functionals,
    )
    if labels:
        known = read_label_files(labels)
        sources = [*(LabelledSource(source, known) for source in sources), OwnLabels(known)]
    report = build_database(output, sources, overwrite=overwrite, progress=True)
    table = Table("data set", *(f"fold {k}" for k in range(5)), title=str(report.path))
    for name in dict.fromkeys(name for name, _ in report.rows):
        table.add_row(name, *(str(report.rows[name, k]) for k in range(5)))
    console.print(table)
    for (dataset, action, reason), count in report.reasons().items():
        console.print(f"{counted(count, f'{dataset} row')} {action}: {reason}")
    if report.problems:
        console.print(f"every one of them is listed in {report.problems_path}")


@data.command()
def fetch(
    source: Annotated[str, typer.Argument(help="materials-project or jarvis.")],
    output: Annotated[Path, typer.Argument(help="File to write, or to go on with.")],
) -> None:
    """Get tensors from a database; run it again to go on after an interruption.

    The Materials Project needs your key: MP_API_KEY in the environment, or PMG_MAPI_KEY in
    pymatgen's settings.

    Example: eqtensor data fetch materials-project mp.jsonl
    """
    from ase_eqtensor.train.data.fetch import fetch as fetch_tensors
    from ase_eqtensor.train.data.fetch.file import read_header

    result = fetch_tensors(source, output, progress=True)
    header = read_header(output)
    console.print(f"{output}: {counted(result.answers, 'answer')}, {result.new} of them new")
    console.print(f"licence: {header['licence']}\ncite: {header['cite']}")
    console.print(f"next: eqtensor data build --fetched {output}")
