"""One training run from database to weights with a card."""

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ase_eqtensor import __version__
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.card import Card, Figures, Member
from ase_eqtensor.models.store import save_model
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.quantities import Quantity, offered
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.data.sources import LEVEL_OF_THEORY, NOT_STATED
from ase_eqtensor.train.fitting.fit import (
    CHECKPOINTS,
    LAST_CHECKPOINT,
    LOGS,
    fit,
    prepare_parts,
)
from ase_eqtensor.train.fitting.samples import element_counts, training_crystals
from ase_eqtensor.train.folds import Split, split
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.evaluate import figures
from ase_eqtensor.train.scoring.outputs import compare
from ase_eqtensor.train.targets import DATASETS

RECIPE = "recipe.json"


def train(
    database: Path, recipe: Recipe, folder: Path, resume: bool = False, devices: int = 1
) -> Path:
    """Train, score on val, and write `folder`/NAME.safetensors with its card; returns that path.

    `devices` is as in `fit`.

    Raises DataError if the folder holds a finished run, an unfinished one without `resume`, or
    other files. A run that failed before its first checkpoint is begun anew.
    """
    folder = Path(folder)
    text = json.dumps(recipe.to_dict(), indent=1) + "\n"
    _check_folder(folder, text, resume)
    start = time.perf_counter()
    records = read_database(database, recipe.datasets)
    parts = split(records, recipe.fold)
    samples = prepare_parts(parts, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECIPE).write_text(text)
    network = fit(samples, recipe, folder, resume, devices=devices).network.cpu()
    network.requires_grad_(False)
    scored = figures(compare(network, samples.val, parts.train))
    member = Member(
        fold=recipe.fold,
        seed=recipe.seed,
        minutes=round((time.perf_counter() - start) / 60, 1),
        data=describe(parts, recipe.datasets),
    )
    card = card_of_run(network, parts.train, member, recipe.to_dict(), {"val": scored})
    return save_model(network, card, folder / folder.name, training_crystals(records))


def _check_folder(folder: Path, recipe: str, resume: bool) -> None:
    if not folder.exists():
        return
    stored, begun = folder / RECIPE, (folder / LAST_CHECKPOINT).is_file()
    foreign = {path.name for path in folder.iterdir()} - {RECIPE, LOGS, CHECKPOINTS}
    if (begun or foreign) and not resume:
        raise DataError(f"{folder} is not empty: choose another folder, or --resume that run")
    if begun and stored.is_file() and stored.read_text() != recipe:
        raise DataError(f"{folder} was begun with another recipe ({stored}): resume with that one")


def card_of_run(
    network: TensorNetwork,
    trained: Sequence[Record],
    member: Member,
    recipe: dict[str, Any],
    scored: dict[str, dict[str, Figures]],
) -> Card:
    """The card of a network of one member that learnt from `trained`; `scored` are its figures, by
    part."""
    return Card(
        architecture=network.architecture,
        package_version=__version__,
        level_of_theory=level_of_theory(trained),
        elements=element_counts(trained),
        members=[member],
        recipe=recipe,
        figures=scored,
    )


def level_of_theory(records: Iterable[Record]) -> dict[str, str]:
    """Quantity -> first-principles method of the training records that teach it."""
    kinds = dict.fromkeys((record.dataset, record.source) for record in records)
    out = {}
    for name, quantity in offered().items():
        methods = dict.fromkeys(
            LEVEL_OF_THEORY.get((dataset, source), NOT_STATED)
            for dataset, source in kinds
            if _teaches(dataset, quantity)
        )
        if methods:
            out[name] = "; ".join(methods)
    return out


def _teaches(dataset: str, quantity: Quantity) -> bool:
    return any(t.quantity.name == quantity.trained_on for t in DATASETS[dataset].targets)


def describe(parts: Split, datasets: list[str]) -> dict:
    """Number of crystals of each data set in the parts of a fold."""
    return {
        name: {part: sum(r.dataset == name for r in getattr(parts, part)) for part in parts._fields}
        for name in datasets
    }
