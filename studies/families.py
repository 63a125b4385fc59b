"""Families of crystals left out of training: what a model says of chemistry it has never seen.

    python -m studies.families crystals.db FOLDER [RECIPE ...]

trains every recipe (by default `joint` and that of joint-v2) once without each family, and prints
their errors on it. Finished runs are kept in FOLDER, so a killed process is started again; several
may work on one folder.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from ase import Atoms
from ase.geometry.dimensionality import analyze_dimensionality

from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.storage import complete_file
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.fit import TrainingSamples, fit
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.recipes.recipe import Recipe, load_recipe
from ase_eqtensor.train.scoring.evaluate import figures
from ase_eqtensor.train.scoring.outputs import compare
from ase_eqtensor.train.targets import DATASETS
from ase_eqtensor.train.targets.stiffness import MODULI
from studies.queue import undone
from studies.run_table import median_mean, moduli

JOINT_V2 = str(Path(__file__).with_name("joint_v2.toml"))
COLUMNS = [
    "family",
    "recipe",
    STIFFNESS.display.short,
    "K / G of tensors, GPa",
    "K / G of binaries, GPa",
    ELECTRONIC.display.short,
    TOTAL.display.short,
]
METALS_3D = set(range(21, 31))


def _has(*numbers: int) -> Callable[[Atoms], bool]:
    return lambda atoms: bool(set(numbers) & set(atoms.numbers))


def _layered(atoms: Atoms) -> bool:
    try:
        likeliest, *_ = analyze_dimensionality(atoms, method="RDA")
    except TypeError:  # of ASE, where no bond that it tries is long enough, as in solid neon
        return False
    return likeliest.dimtype == "2D"


FAMILIES: dict[str, Callable[[Atoms], bool]] = {
    "halides": _has(9, 17, 35, 53),
    "oxides of 3d metals": lambda atoms: _has(8)(atoms) and _has(*METALS_3D)(atoms),
    "hydrides": _has(1),
    "layered crystals": _layered,
}


def without(samples: list[Sample], family: str) -> tuple[TrainingSamples, list[Sample]]:
    """What a run trains on and is validated on, and the family's crystals.

    No composition of the family is trained on, in whatever structure; rows that follow from others
    are not scored.
    """
    belongs = {id(s): FAMILIES[family](s.record.atoms) for s in samples}
    own = [s for s in samples if belongs[id(s)] and not DATASETS[s.record.dataset].derived]
    formulas = {s.record.reduced_formula for s in own}
    rest = [
        s
        for s in samples
        if not (belongs[id(s)] or s.record.reduced_formula in formulas or s.record.quarantine)
    ]
    train, val = ([s for s in rest if s.record.in_val == part] for part in (False, True))
    return TrainingSamples(train, val), [s for s in own if not s.record.quarantine]


def execute(recipe: Recipe, family: str, samples: list[Sample], path: Path) -> None:
    """Train a recipe without a family, and store its figures on it."""
    parts, held = without(samples, family)
    scratch = path.with_suffix(".tmp")
    network = fit(parts, recipe, scratch, resume=True, progress=False).network.cpu()
    scored = figures(compare(network, held, [s.record for s in parts.train]))
    with complete_file(path) as unfinished:
        unfinished.write_text(json.dumps(scored, indent=1))
    shutil.rmtree(scratch)


def describe(folder: Path, recipes: list[str]) -> str:
    """Markdown table of the runs that are finished."""
    rows = []
    for family in FAMILIES:
        for recipe in recipes:
            path = _path(folder, recipe, family)
            if path.exists():
                scored = json.loads(path.read_text())
                rows.append([family, Path(recipe).stem, *_cells(scored)])
    return table(COLUMNS, rows)


def _cells(scored: dict) -> list[str]:
    """The figures of a run; "-" for those that it has no crystals for."""
    columns = (
        (STIFFNESS.name, counted),
        (STIFFNESS.name, moduli),
        (MODULI.name, moduli),
        (ELECTRONIC.name, counted),
        (TOTAL.name, counted),
    )
    return [told(scored[name]) if name in scored else "-" for name, told in columns]


def counted(figures: dict) -> str:
    """Median and mean relative error, and the number of crystals."""
    return f"{median_mean(figures)} ({figures['crystals']})"


def _path(folder: Path, recipe: str, family: str) -> Path:
    return folder / f"{Path(recipe).stem}-{family.replace(' ', '-')}.json"


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the runs, made if it is missing.")],
    recipes: Annotated[list[str] | None, typer.Argument(help="Names or files of recipes.")] = None,
) -> None:
    """Do the runs that no process has done or begun yet, and print what is known."""
    recipes = recipes or ["joint", JOINT_V2]
    folder.mkdir(parents=True, exist_ok=True)
    for name in recipes:
        recipe = load_recipe(name)
        samples: list[Sample] = []  # read for the first run that is left
        families = {_path(folder, name, family): family for family in FAMILIES}
        for path in undone(families):
            if not samples:
                records = read_database(database, recipe.datasets)
                samples = prepare(records, recipe.network.cutoff, workers=1)
            execute(recipe, families[path], samples, path)
            print(path, flush=True)
    print(describe(folder, recipes))


if __name__ == "__main__":
    typer.run(main)
