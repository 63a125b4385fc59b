"""What the students of the folds lose against the networks that taught them, on the val parts:

    python -m studies.student TEACHERS STUDENTS DATABASE

TEACHERS is an ensemble, such as joint-wide, STUDENTS the model of its students of the folds,
joint-v8-folds. Printed are median / mean error of each tensor, mean over the folds: of single
networks, of those that left a fold out together, of their student.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from ase_eqtensor.models.store import Model, load_model
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.quantities import stored
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.scoring.outputs import compare
from ase_eqtensor.train.targets import DATASETS, targets


def errors(network: TensorNetwork, samples: list[Sample]) -> dict[str, tuple[float, float]]:
    """Tensor -> median and mean error."""
    found = {}
    for name, predictions in compare(network, samples).items():
        if name in stored():
            predicted, true = map(torch.tensor, (predictions.predicted, predictions.target))
            values = targets()[name].errors(predicted, true).numpy()
            found[name] = float(np.median(values)), float(values.mean())
    return found


def networks(teachers: Model, students: Model, fold: int) -> dict[str, list[TensorNetwork]]:
    """Those of a fold, by what they are."""
    members, pupils = teachers.members_without(fold), students.members_without(fold)
    return {
        "one network": [select(teachers.network, [i]) for i in members],
        "the two of a fold": [select(teachers.network, members)],
        "their student": [select(students.network, pupils)],
    }


def main(
    teachers: Annotated[str, typer.Argument(help="Name or weights of the ensemble.")],
    students: Annotated[str, typer.Argument(help="Those of its students of the folds.")],
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
) -> None:
    """Print the table."""
    ensemble, pupils = load_model(teachers), load_model(students)
    whole = [name for name, dataset in DATASETS.items() if dataset.holds_tensors]
    records = read_database(database, whole)
    scored: dict[str, dict[str, list]] = {}
    for fold in pupils.folds:
        held = [record for record in split(records, fold).val if not record.quarantine]
        samples = prepare(held, ensemble.network.architecture.cutoff)
        for label, those in networks(ensemble, pupils, fold).items():
            for name, found in ((n, e) for one in those for n, e in errors(one, samples).items()):
                scored.setdefault(label, {}).setdefault(name, []).append(found)
    titles = {name: quantity.display.short for name, quantity in stored().items()}
    rows = []
    for label, by_name in scored.items():
        means = {name: np.mean(found, axis=0) for name, found in by_name.items()}
        cells = [f"{means[n][0]:.3f} / {means[n][1]:.3f}" if n in means else "" for n in titles]
        rows.append([label, *cells])
    print(table(["val", *titles.values()], rows))


if __name__ == "__main__":
    typer.run(main)
