"""The commands `eqtensor data`, `train` and `evaluate`, beside those of ase_eqtensor/commands/.

Libraries of the extras are imported by the commands that need them, so that `eqtensor predict`
works without.
"""

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ase_eqtensor.commands import app
from ase_eqtensor.extras import extra
from ase_eqtensor.pretrained import load_model

console = Console()

Database = Annotated[Path, typer.Option("--database", "-d", help="Training database.")]
DEFAULT_DATABASE = Path("crystals.db")

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
        from ase_eqtensor.train.database import build_database
        from ase_eqtensor.train.sources import collect

    sources = collect(
        archive,
        moduli,
        files or (),
        matminer=public,
        fetched=fetched or (),
        mix_functionals=mix_functionals,
    )
    report = build_database(output, sources, overwrite=overwrite, progress=True)
    table = Table("data set", *(f"fold {k}" for k in range(5)), title=str(report.path))
    for name in dict.fromkeys(name for name, _ in report.rows):
        table.add_row(name, *(str(report.rows[name, k]) for k in range(5)))
    console.print(table)
    for (dataset, action, reason), count in report.reasons().items():
        console.print(f"{count} {dataset} rows {action}: {reason}")
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
    from ase_eqtensor.train.fetch import fetch as fetch_tensors
    from ase_eqtensor.train.fetch.file import read_header

    result = fetch_tensors(source, output, progress=True)
    header = read_header(output)
    console.print(f"{output}: {result.answers} answers, {result.new} of them new")
    console.print(f"licence: {header['licence']}\ncite: {header['cite']}")
    console.print(f"next: eqtensor data build --fetched {output}")


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe or a TOML file.")],
    database: Database = DEFAULT_DATABASE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run.")
    ] = None,
    fold: Annotated[int | None, typer.Option(help="Replace the recipe's fold.")] = None,
    seed: Annotated[int | None, typer.Option(help="Replace the recipe's seed.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the run's last checkpoint.")] = False,
    devices: Annotated[
        int,
        typer.Option(min=1, help="GPUs (processes, without any) that share the work."),
    ] = 1,
) -> None:
    """Train a model; the run's folder receives logs, checkpoints, weights, card and figures.

    Example: eqtensor train joint --database crystals.db --seed 1
    """
    with extra("train"):
        from ase_eqtensor.train.recipe import load_recipe
        from ase_eqtensor.train.run import train as run_training

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    changes = {k: v for k, v in {"fold": fold, "seed": seed}.items() if v is not None}
    chosen = load_recipe(recipe, **changes)
    stem = Path(recipe).stem
    folder = output or Path("runs") / f"{stem}-fold{chosen.fold}-seed{chosen.seed}"
    weights = run_training(database, chosen, folder, resume, devices)
    console.print(f"weights and card: {weights}")


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
        from ase_eqtensor.train.database import read_database
        from ase_eqtensor.train.evaluate import evaluate as evaluate_model
        from ase_eqtensor.train.evaluate import write_report

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
