"""The command `eqtensor train`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from ..extras import extra
from .app import DEFAULT_DATABASE, Database, app, console


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
        from ase_eqtensor.train.recipes.recipe import load_recipe
        from ase_eqtensor.train.run import train as run_training

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    changes = {k: v for k, v in {"fold": fold, "seed": seed}.items() if v is not None}
    chosen = load_recipe(recipe, **changes)
    stem = Path(recipe).stem
    folder = output or Path("runs") / f"{stem}-fold{chosen.fold}-seed{chosen.seed}"
    weights = run_training(database, chosen, folder, resume, devices)
    console.print(f"weights and card: {weights}")
