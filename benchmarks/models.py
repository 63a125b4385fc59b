"""Speed of models side by side: python benchmarks/models.py crystals.db [MODEL ...]

One process and one thread predict the same crystals of fold 0's test part with each model in turn,
several times over, so that whatever else the machine does slows all of them alike. Prints crystals
per second, medians, and their ratio to the first model.
"""

import os
import warnings
from functools import partial
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import torch  # noqa: E402
import typer  # noqa: E402
from timing import alternating  # noqa: E402

from ase_eqtensor import EqTensorCalculator  # noqa: E402
from ase_eqtensor.train.card import table  # noqa: E402
from ase_eqtensor.train.data.database import read_database  # noqa: E402
from ase_eqtensor.train.folds import split  # noqa: E402

MODELS = ["joint-v2", "joint-v8"]
CRYSTALS, ROUNDS = 160, 7


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    models: Annotated[list[str] | None, typer.Argument(help="Names or weights of models.")] = None,
) -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    records = split(read_database(database, ["elastic", "dielectric"]), 0).test
    crystals = [record.atoms for record in records[:CRYSTALS]]
    calculators = {
        name: EqTensorCalculator(name, allow_untrained_elements=True) for name in models or MODELS
    }
    predictions = [partial(calculator.predict, crystals) for calculator in calculators.values()]
    alternating(1, *predictions)  # warm
    times = alternating(ROUNDS, *predictions)
    speed = {name: len(crystals) / seconds for name, seconds in zip(calculators, times)}
    first = next(iter(speed.values()))
    rows = [[name, f"{value:.0f}", f"{value / first:.2f}"] for name, value in speed.items()]
    print(table(["model", "crystals/s", "ratio"], rows))


if __name__ == "__main__":
    typer.run(main)
