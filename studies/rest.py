"""How far off a model is about distances in crystals at rest, out of fold, and what that costs.

    python -m studies.rest crystals.db [MODEL]

prints for each data set the spread (half of what holds two thirds) of ln distance over that at
rest, which is zero for all crystals at rest if the model knows, beside that of the distances.
Where a stiffness varies about a power of it, a misjudged strain is an error of K: the slope of
ln (predicted / true K) on it, and the mean error of K as it is and with this slope taken out.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from ase_eqtensor import load_model
from ase_eqtensor.models.store import Model, held_out
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.network.scaling import Scaling
from ase_eqtensor.network.surroundings import Surroundings
from ase_eqtensor.quantities.stiffness import STIFFNESS, Moduli
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.samples import loader, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets import DATASETS
from ase_eqtensor.train.targets.stiffness import K
from studies.ranges import slope

COLUMNS = ["data set", "crystals", "distance", "strain", "slope of ln K", "K, GPa", "without it"]


def spread(values: np.ndarray) -> float:
    """Half the distance between the quantiles that two thirds lie between."""
    low, high = np.quantile(values, [1 / 6, 5 / 6])
    return float(high - low) / 2


def judged(model: Model, records: list[Record]) -> tuple[list[Record], np.ndarray]:
    """Crystals at rest, and (n, 4) ln distance, ln distance over that at rest, predicted and true K
    in GPa (NaN if unknown), out of fold."""
    wanted = [r for r in records if not (DATASETS[r.dataset].derived or r.quarantine)]
    cutoff = model.network.architecture.cutoff
    found, rows = [], []
    for fold in model.folds:
        network = select(model.network, model.members_without(fold))
        samples = prepare(split(wanted, fold).test, cutoff)
        found += [sample.record for sample in samples]
        for batch in loader(samples, 64):
            graph = batch.graph
            with torch.inference_mode():
                distance = Surroundings.of(graph, cutoff).distance
                strain = Scaling.of(graph, cutoff, network.rest).strain.mean(0)
                stiffness = network(graph)[STIFFNESS.name].numpy()
            rows.append(np.stack([distance, strain, Moduli(stiffness).k], axis=1))
    true = np.array([float(r.targets.get(K, np.nan)) for r in found])
    return found, np.column_stack([np.concatenate(rows), true])


def row(name: str, values: np.ndarray) -> list[str]:
    """Of the table; `values` (n, 4) as `judged` gives them."""
    distance, strain, predicted, true = values.T
    cells = [name, str(len(values)), f"{spread(distance):.4f}", f"{spread(strain):.4f}"]
    known = np.isfinite(true) & (true > 1)
    if known.sum() < 3:
        return [*cells, "", "", ""]
    error = np.log(predicted[known] / true[known])
    trend = slope(strain[known], error)
    mended = predicted[known] * np.exp(-trend * strain[known])
    means = [np.abs(k - true[known]).mean() for k in (predicted[known], mended)]
    return [*cells, f"{trend:.1f}", *(f"{mean:.1f}" for mean in means)]


def main(
    database: Annotated[Path, typer.Argument(help="Training database.")],
    model: Annotated[str, typer.Argument(help="Name or weights of a model.")] = "joint-v8-folds",
) -> None:
    """Print the table."""
    found, values = judged(held_out(load_model(model)), read_database(database))
    names = dict.fromkeys(record.dataset for record in found)
    chosen = {name: np.array([r.dataset == name for r in found]) for name in names}
    print(table(COLUMNS, [row(name, values[part]) for name, part in chosen.items()]))


if __name__ == "__main__":
    typer.run(main)
