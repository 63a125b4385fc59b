"""Crystals that nobody has made, for a potential to label:

    python -m ase_eqtensor.train.pretraining.prototypes crystals.db prototypes.db
    eqtensor data label prototypes.db labels.jsonl

They have the structures of the database, and other elements in them, so that no data set has the
composition. What the potential says of them teaches how atoms of any two kinds are at rest beside
each other, where first principles know nothing of the two.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from ase.db import connect

from ase_eqtensor.storage import complete_file, refuse_existing
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.pretraining.crystals import NOBLE_GASES, Crystal, crystals, unknown
from ase_eqtensor.train.record import Record


def prototypes(
    records: list[Record], cutoff: float, rounds: int, max_atoms: int, seed: int
) -> list[Crystal]:
    """Crystals of the records with other elements, `rounds` of each, in random order.

    Of one composition with as many atoms in the primitive cell only the first is there; those with
    more than `max_atoms` and noble gases are left out. Atoms need a neighbour within `cutoff` Å.
    """
    random = np.random.default_rng(seed)
    elements = frozenset(int(z) for r in records for z in r.atoms.numbers) - NOBLE_GASES
    small = [
        crystal
        for crystal in crystals(records)
        if len(crystal.cell) <= max_atoms and elements.issuperset(crystal.cell.numbers.tolist())
    ]
    known = {record.reduced_formula for record in records}
    made = unknown(small, known, cutoff, elements, rounds, random)
    once = {(crystal.formula, len(crystal.cell)): crystal for crystal in reversed(made)}
    found = list(once.values())
    return [found[i] for i in random.permutation(len(found))]


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    output: Annotated[Path, typer.Argument(help="ASE database to write.")],
    rounds: Annotated[int, typer.Option(help="Of other elements for each crystal.", min=1)] = 2,
    max_atoms: Annotated[int, typer.Option(help="In the primitive cell.")] = 8,
    cutoff: Annotated[float, typer.Option(help="Å, within which atoms have a neighbour.")] = 6.0,
    seed: Annotated[int, typer.Option(help="Of the choice of elements.")] = 0,
) -> None:
    """Write the crystals to an ASE database."""
    refuse_existing(output)
    made = prototypes(read_database(database), cutoff, rounds, max_atoms, seed)
    with complete_file(output) as part, connect(part) as rows:
        for crystal in made:
            rows.write(crystal.cell)
    print(f"{output}: {len(made)} crystals")


if __name__ == "__main__":
    typer.run(main)
