"""Teach every network of a model the tensors of odd parity:

    python -m ase_eqtensor.train.branch MODEL DATABASE FOLDER [RECIPE]

leaves every network, with its branch, in FOLDER as a run that `ase_eqtensor.train.release` takes.
Each learns from the folds that it learnt from before. Finished runs are kept; several processes may
work on one folder.
"""

import logging
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ase_eqtensor.errors import DataError
from ase_eqtensor.models.store import Model, load_model, save_model
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.train.branch.fit import fit_branch
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families.kept import comparable
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.queue import undone
from ase_eqtensor.train.recipes.recipe import Recipe, load_recipe
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.run import card_of_run, describe
from ase_eqtensor.train.scoring.evaluate import figures
from ase_eqtensor.train.scoring.outputs import compare


def execute(
    model: Model, i: int, records: list[Record], samples: list[Sample], recipe: Recipe, path: Path
) -> None:
    """Teach the network i of a model, and store it with a card of its own.

    `records` are those of all data sets that model and recipe name, `samples` of the recipe's.
    """
    begun = time.perf_counter()
    member = model.card.members[i]
    assert member.fold is not None  # as of all but students
    recipe = replace(recipe, fold=member.fold, seed=member.seed)
    own = {id(sample.record): sample for sample in samples}
    parts = split(records, member.fold)
    train, val = ([own[id(r)] for r in part if id(r) in own] for part in (parts.train, parts.val))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        network = fit_branch(
            select(model.network, [i]), train, val, recipe, Path(scratch), progress=False
        )
    datasets = [*model.card.recipe["datasets"], *recipe.datasets]
    minutes = (member.minutes or 0) + (time.perf_counter() - begun) / 60
    card = card_of_run(
        network,
        parts.train,
        msgspec.structs.replace(member, minutes=round(minutes, 1), data=describe(parts, datasets)),
        model.card.recipe
        | {"datasets": datasets, "fold": member.fold, "seed": member.seed}
        | {"branch": comparable(recipe.to_dict())},
        {"val": member.val | figures(compare(network, val, parts.train))},
    )
    save_model(network, card, path)


def main(
    model: Annotated[str, typer.Argument(help="Shipped model or .safetensors file.")],
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the runs, made if it is missing.")],
    recipe: Annotated[str, typer.Argument(help="Name or file of a recipe.")] = "branch",
) -> None:
    """Do the runs that no process has done or begun yet."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    base, chosen = load_model(model), load_recipe(recipe)
    if None in {member.fold for member in base.card.members}:
        raise DataError(f"{base.name} is a student, which left no fold out to be judged on")
    if common := set(base.card.recipe["datasets"]) & set(chosen.datasets):
        raise DataError(f"{base.name} knows {', '.join(sorted(common))} already")
    paths = {}
    for i, member in enumerate(base.card.members):
        name = f"{chosen.datasets[0]}-{i}-fold{member.fold}-seed{member.seed}"
        paths[folder / f"{name}.done"] = i, folder / name / f"{name}.safetensors"
    records: list[Record] = []  # read for the first run that is left
    samples: list[Sample] = []
    for done in undone(paths):
        if not records:
            records = read_database(database, [*base.card.recipe["datasets"], *chosen.datasets])
            own = [r for r in records if r.dataset in chosen.datasets]
            samples = prepare(own, base.network.architecture.cutoff, workers=1)
        i, path = paths[done]
        execute(base, i, records, samples, chosen, path)
        done.touch()
        print(path, flush=True)


if __name__ == "__main__":
    typer.run(main)
