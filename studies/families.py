"""Recipes compared on families of crystals that were left out of training.

    python -m ase_eqtensor.train.families crystals.db FOLDER --seeds 1
    python -m ase_eqtensor.train.families crystals.db FOLDER studies/joint_v2.toml --seeds 1
    python -m studies.families crystals.db FOLDER

The last prints the errors of one network each, by `joint` and by the recipe of joint-v2, on the
families that it has not seen, as far as they are trained.
"""

from pathlib import Path
from typing import Annotated

import typer

from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families.definitions import FAMILIES
from ase_eqtensor.train.families.runs import networks, predictions
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.recipes.recipe import load_recipe
from ase_eqtensor.train.scoring.evaluate import figures
from ase_eqtensor.train.targets.stiffness import MODULI
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


def row(family: str, recipe: str, weights: Path, samples: list[Sample]) -> list[str]:
    """The row of a family's network by one recipe."""
    scored = figures(predictions(family, [weights], samples))
    return [family, Path(recipe).stem, *_cells(scored)]


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


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    folder: Annotated[Path, typer.Argument(help="Folder of `ase_eqtensor.train.families`.")],
) -> None:
    """Print the errors on families left out of training."""
    joint = load_recipe("joint")
    samples = prepare(read_database(database, joint.datasets), joint.network.cutoff)
    rows = [
        row(family, recipe, weights[0], samples)
        for family in FAMILIES
        for recipe in ("joint", JOINT_V2)
        if (weights := networks(folder, family, recipe))
    ]
    print(table(COLUMNS, rows))


if __name__ == "__main__":
    typer.run(main)
