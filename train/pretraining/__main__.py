"""Teach a network what a potential says of atoms, so that others can begin with it:

    python -m ase_eqtensor.train.pretraining DATABASE TRUNK.safetensors [RECIPE]

The crystals are those of the database with other elements, of compositions that it does not have:
no crystal that is tested on gives a lesson, whatever its fold. `start` in a recipe names the trunk.
"""

import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from safetensors.torch import save_file

from ase_eqtensor.errors import StructureError
from ase_eqtensor.potential.calculators import calculator
from ase_eqtensor.storage import refuse_existing
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.pretraining.crystals import crystals, displace, unknown
from ase_eqtensor.train.pretraining.features import features
from ase_eqtensor.train.pretraining.fit import fit_trunk
from ase_eqtensor.train.recipes.recipe import load_recipe

LARGEST = 20  # atoms of the crystals that are used


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    trunk: Annotated[Path, typer.Argument(help="Weights to write.")],
    recipe: Annotated[str, typer.Argument(help="Name or file of a recipe.")] = "pretraining",
    potential: Annotated[str, typer.Option(help="A potential of SevenNet.")] = "7net-l3i5",
    rounds: Annotated[int, typer.Option(help="Of other elements for each crystal.", min=1)] = 2,
) -> None:
    """Make crystals, read the potential, and train."""
    refuse_existing(trunk, False)
    chosen = load_recipe(recipe)
    records = read_database(database)
    elements = frozenset(int(z) for record in records for z in record.atoms.numbers)
    found = [c for c in crystals(records) if len(c.cell) <= LARGEST]
    graphs, cells = [], []
    known = {record.reduced_formula for record in records}
    random = np.random.default_rng(chosen.seed)
    made = unknown(found, known, chosen.network.cutoff, elements, rounds, random)
    displace(made, random)
    for crystal in made:
        try:
            graphs.append(crystal.graph(chosen.network.cutoff))
        except StructureError:  # atoms too far apart for the network
            continue
        cells.append(crystal.cell)
    told = features(cells, calculator(potential))
    pairs = [(graph, one) for graph, one in zip(graphs, told) if one is not None]
    print(f"{len(pairs)} crystals")
    graphs, sound = map(list, zip(*pairs))
    folder = trunk.with_suffix(".tmp")
    save_file(fit_trunk(graphs, sound, chosen, folder), trunk)
    shutil.rmtree(folder)
    print(trunk)


if __name__ == "__main__":
    typer.run(main)
