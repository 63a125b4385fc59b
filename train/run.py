"""One training run from database to weights with a card."""

import json
import time
from pathlib import Path

from ase_eqtensor import __version__
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.store import load_model, save_model
from ase_eqtensor.properties import PROPERTIES
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.fit import fit, split_samples
from ase_eqtensor.train.fitting.samples import element_counts, supervised_output, training_crystals
from ase_eqtensor.train.folds import Split, split
from ase_eqtensor.train.recipes.recipe import LOSSES, Recipe
from ase_eqtensor.train.scoring.evaluate import evaluate

# by data set and source
LEVEL_OF_THEORY = {
    ("elastic", "matminer-0.3.9"): "PBE or PBE+U (VASP), relaxed-ion stress-strain; de Jong 2015",
    ("dielectric", "matminer-0.3.9"): "PBE or PBE+U (VASP), DFPT; Petousis 2017",
    ("elastic", "materials-project"): "PBE or PBE+U (VASP), relaxed-ion; Materials Project",
    ("dielectric", "materials-project"): "PBE or PBE+U (VASP), DFPT; Materials Project",
    ("elastic", "jarvis-dft-OptB88vdW"): "OptB88vdW (VASP), relaxed-ion; Choudhary 2020",
    ("moduli", "mp-binary-moduli"): "K and G only: PBE or PBE+U, Materials Project 2025",
}
NOT_STATED = "the user's own data, level of theory not stated"


def train(
    database: Path, recipe: Recipe, folder: Path, resume: bool = False, devices: int = 1
) -> Path:
    """Train, score on val, and write `folder`/NAME.safetensors with its card; returns that path.

    `devices` is as in `fit`.

    Raises DataError if the folder holds a finished run or an unfinished one without `resume`.
    """
    folder = Path(folder)
    stored = folder / "recipe.json"
    text = json.dumps(recipe.to_dict(), indent=1) + "\n"
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise DataError(f"{folder} is not empty: choose another folder, or --resume that run")
    if stored.is_file() and stored.read_text() != text:
        raise DataError(f"{folder} was begun with another recipe ({stored}): resume with that one")
    folder.mkdir(parents=True, exist_ok=True)
    stored.write_text(text)
    start = time.perf_counter()
    records = read_database(database, recipe.datasets)
    parts = split(records, recipe.fold)
    samples = split_samples(records, recipe)
    module = fit(samples, recipe, folder, resume, devices=devices)
    card = {
        "package_version": __version__,
        "level_of_theory": level_of_theory(parts.train),
        "elements": element_counts(parts.train),
        "members": [{"fold": recipe.fold, "seed": recipe.seed}],
        "data": describe(parts, recipe.datasets),
        "recipe": recipe.to_dict(),
        "minutes": round((time.perf_counter() - start) / 60, 1),
    }
    crystals = training_crystals(records)
    path = save_model(module.network, card, folder / folder.name, crystals)
    figures = evaluate(load_model(path), records, "val")["figures"]
    return save_model(module.network, card | {"figures": {"val": figures}}, path, crystals)


def level_of_theory(records) -> dict[str, str]:
    """Property -> first-principles method of the training records that supervise it."""
    out = {}
    for name, declared in PROPERTIES.items():
        datasets = [
            dataset
            for dataset, targets in LOSSES.items()
            if declared.trained_on in map(supervised_output, targets)
        ]
        kinds = {(r.dataset, r.source): None for r in records if r.dataset in datasets}
        methods = dict.fromkeys(LEVEL_OF_THEORY.get(kind, NOT_STATED) for kind in kinds)
        out[name] = "; ".join(methods) or "not trained"
    return out


def describe(parts: Split, datasets: list[str]) -> dict:
    """Number of crystals of each data set in the parts of a fold."""
    return {
        name: {part: sum(r.dataset == name for r in getattr(parts, part)) for part in parts._fields}
        for name in datasets
    }
