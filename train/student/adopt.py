"""Ship the student of all networks of a model:

    python -m ase_eqtensor.train.student.adopt NAME STUDENT FOLDS DATABASE

STUDENT is the weights file of the student of all networks, FOLDS the model that
`ase_eqtensor.train.release` made of the students of the folds. What the card of NAME says of
accuracy and bounds is what is found of these, each of which learnt on the other folds from two
networks only. What a potential is worth beside FOLDS (partner/calibrate.py) comes along.
"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ase_eqtensor import __version__
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.card import Card
from ase_eqtensor.models.store import Model, load_model, save_model, shipped_folder
from ase_eqtensor.train.card import describe
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families.kept import comparable
from ase_eqtensor.train.fitting.samples import prepare, training_crystals
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.fingerprints import fingerprints_of


def adopt(student: Model, folds: Model, records: list[Record], path: Path) -> Path:
    """Write the student with the card of the students of the folds to `path`.

    Raises DataError if the two were not taught alike.
    """
    if comparable(student.card.recipe) != comparable(folds.card.recipe):
        raise DataError(f"{student.name} and {folds.name} have different recipes")
    trained = [r for r in records if r.dataset in folds.card.recipe["datasets"]]
    sound = [r for r in trained if not r.quarantine]
    fingerprints = fingerprints_of(
        student.network, prepare(sound, student.network.architecture.cutoff)
    )
    card: Card = msgspec.structs.replace(
        folds.card,
        package_version=__version__,
        members=student.card.members,
        level_of_theory=student.card.level_of_theory,
    )
    return save_model(student.network, card, path, training_crystals(trained), fingerprints)


def main(
    name: Annotated[str, typer.Argument(help="Name of the model, or an absolute path.")],
    student: Annotated[Path, typer.Argument(help="Weights of the student of all networks.")],
    folds: Annotated[Path, typer.Argument(help="Weights of the students of the folds, merged.")],
    database: Annotated[Path, typer.Argument(help="Training database.")],
) -> None:
    """Turn a student into a model with every figure."""
    records = read_database(database)
    weights = adopt(load_model(student), load_model(folds), records, shipped_folder() / name)
    print(describe(load_model(weights).card))


if __name__ == "__main__":
    typer.run(main)
