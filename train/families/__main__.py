"""Train a recipe without each family, once a seed:

    python -m ase_eqtensor.train.families DATABASE FOLDER [RECIPE] [--seeds N] [--only FAMILY]

leaves every network in FOLDER as a model of its own. Finished runs are kept and interrupted ones go
on; several processes may work on one folder.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families.definitions import FAMILIES
from ase_eqtensor.train.families.runs import execute, weights_of
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.queue import undone
from ase_eqtensor.train.recipes.recipe import load_recipe


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the runs, made if it is missing.")],
    recipe: Annotated[str, typer.Argument(help="Name or file of a recipe.")] = "joint",
    seeds: Annotated[int, typer.Option(help="Networks of each family.")] = 2,
    only: Annotated[list[str] | None, typer.Option(help="Family; by default all of them.")] = None,
) -> None:
    """Do the runs that no process has done or begun yet."""
    if unknown := set(only or ()) - FAMILIES.keys():
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose from {', '.join(FAMILIES)}")
    folder.mkdir(parents=True, exist_ok=True)
    loaded = load_recipe(recipe)
    samples: list[Sample] = []  # read for the first run that is left
    runs = {
        weights_of(folder, recipe, family, seed): (family, seed)
        for family in only or FAMILIES
        for seed in range(seeds)
    }
    for path in undone(runs):
        if not samples:
            records = read_database(database, loaded.datasets)
            samples = prepare(records, loaded.network.cutoff, workers=1)
        family, seed = runs[path]
        execute(replace(loaded, seed=seed), family, samples, path)
        print(path, flush=True)


if __name__ == "__main__":
    typer.run(main)
