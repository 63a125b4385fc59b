"""Teach one network what the networks of a model say together:

    python -m ase_eqtensor.train.student MODEL DATABASE FOLDER [RECIPE] [--with MODEL]

leaves in FOLDER a student of all networks, and for each fold one of those that left it out, on
crystals of other folds only, as runs that `ase_eqtensor.train.release` takes; adopt.py makes a
model of these. The networks of a further model, of whatever width, have a voice each, too; the
student is as wide as the first, and begins as its first network. Finished runs are kept and
interrupted ones go on; several processes may work on one folder.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ase_eqtensor.models.card import Member
from ase_eqtensor.models.store import Model, load_model, save_model
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families.kept import comparable
from ase_eqtensor.train.fitting.samples import prepare, training_crystals
from ase_eqtensor.train.folds import Split, fold_of, in_val, split
from ase_eqtensor.train.pretraining.crystals import Crystal, crystals, graphs
from ase_eqtensor.train.queue import undone
from ase_eqtensor.train.recipes.recipe import Recipe, load_recipe
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.run import card_of_run, describe
from ase_eqtensor.train.scoring.evaluate import figures
from ase_eqtensor.train.scoring.outputs import compare
from ase_eqtensor.train.student.fit import fit_student, lessons
from ase_eqtensor.train.targets import DATASETS

ALL = None  # the fold that the student of all networks leaves out


def weights_of(folder: Path, model: str, fold: int | None) -> Path:
    """Where a run leaves its network."""
    name = f"{model}-student-" + ("all" if fold is ALL else f"fold{fold}")
    return folder / name / f"{name}.safetensors"


def voices(model: Model, fold: int | None) -> TensorNetwork:
    """The networks of a model that left `fold` out, or all of them."""
    if fold is ALL:
        return model.network
    return select(model.network, model.members_without(fold))


def execute(
    models: Sequence[Model],
    fold: int | None,
    records: Sequence[Record],
    pool: Sequence[Crystal],
    recipe: Recipe,
    weights: Path,
) -> None:
    """Teach the student of the members that left `fold` out, or of all, and store it with a card of
    its own. `records` are those that the models learnt from, `pool` the crystals of all data."""
    begun = time.perf_counter()
    model = models[0]
    learnt = [r for r in records if r.dataset in model.card.recipe["datasets"]]
    parts = Split([r for r in learnt if not r.quarantine], [], [])
    held = [r for r in learnt if r.in_val]  # which it knows, all the same
    if fold is not ALL:
        parts = split(learnt, fold)
        pool = [c for c in pool if fold_of(c.formula) != fold and not in_val(c.formula)]
        recipe, held = replace(recipe, fold=fold), parts.val
    held = [r for r in held if DATASETS[r.dataset].holds_tensors and not r.quarantine]
    cutoff = model.network.architecture.cutoff
    val = prepare(held, cutoff, workers=1)
    known = {quantity.trained_on for quantity in model.quantities.values()}
    elements = frozenset.intersection(*(model.trained_elements(name) for name in known))
    asked = graphs(pool, cutoff, recipe.noise, elements, recipe.seed, fold)
    teachers = [voices(one, fold) for one in models]
    taught = lessons(teachers, asked)
    first = select(teachers[0], [0])
    scratch = weights.parent / "fit"
    network = fit_student(first, taught, val, recipe, scratch, progress=False)
    minutes = round((time.perf_counter() - begun) / 60, 1)
    datasets = model.card.recipe["datasets"]
    member = Member(fold=fold, seed=recipe.seed, minutes=minutes, data=describe(parts, datasets))
    card = card_of_run(
        network,
        parts.train,
        member,
        comparable(model.card.recipe)
        | {"fold": fold, "seed": recipe.seed}
        | {"student": comparable(recipe.to_dict()) | {"teachers": [one.name for one in models]}},
        {"val": figures(compare(network, val, parts.train))},
    )
    save_model(network, card, weights, training_crystals(list(records)))


def main(
    model: Annotated[str, typer.Argument(help="Shipped model or .safetensors file.")],
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the runs, made if it is missing.")],
    recipe: Annotated[str, typer.Argument(help="Name or file of a recipe.")] = "student",
    further: Annotated[
        list[str] | None, typer.Option("--with", help="A further model that teaches.")
    ] = None,
) -> None:
    """Do the runs that no process has done or begun yet."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    models, chosen = [load_model(name) for name in (model, *(further or ()))], load_recipe(recipe)
    base = models[0]
    if strange := [other.name for other in models if _subject(other) != _subject(base)]:
        raise typer.BadParameter(
            f"{strange[0]} differs in folds, heads or cutoff from {base.name}: they teach no one"
        )
    longest_first = (ALL, *base.folds)
    runs = {weights_of(folder, base.name, fold): fold for fold in longest_first}
    for path in runs:
        path.parent.mkdir(parents=True, exist_ok=True)
    records: list[Record] = []  # read for the first run that is left
    pool: list[Crystal] = []
    for path in undone(runs):
        if not records:
            records = read_database(database)
            pool = crystals([r for r in records if not r.quarantine])
        execute(models, runs[path], records, pool, chosen, path)
        print(path, flush=True)


def _subject(model: Model) -> tuple:
    """What the teachers of one student must have in common."""
    architecture = model.network.architecture
    return model.folds, architecture.heads, architecture.cutoff


if __name__ == "__main__":
    typer.run(main)
