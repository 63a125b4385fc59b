"""Speed of the package in one table: python benchmarks/run.py crystals.db [--model NAME]

Everything runs on one thread (one per process in the rows with workers). Absolute figures depend on
the machine; ratios hardly do. The database is what `eqtensor data build` writes; the crystals are
fold 0's test part. The table goes to the terminal and, as JSON, to the file of --output.
"""

import json
import os
import platform
import warnings
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded, for subprocesses too

import torch  # noqa: E402
import typer  # noqa: E402
from cold_start import cold_rows  # noqa: E402
from growth import growth_rows  # noqa: E402
from prediction import batch_rows, prediction_rows, single_rows, worker_rows  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from training import training_rows  # noqa: E402

from ase_eqtensor import EqTensorCalculator, load_model  # noqa: E402
from ase_eqtensor.train.data.database import read_database  # noqa: E402
from ase_eqtensor.train.folds import split  # noqa: E402


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    model: Annotated[str | None, typer.Option(help="Shipped model or weights file.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="JSON to write.")] = Path(
        "benchmark.json"
    ),
) -> None:
    """Measure training, prediction, start and growth, and print one table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    loaded = load_model(model)
    calculator = EqTensorCalculator(loaded, allow_untrained_elements=True)
    crystals = [r.atoms for r in split(read_database(database, ["elastic", "dielectric"]), 0).test]
    calculator.predict(crystals[:20])  # warm
    rows = [
        *training_rows(loaded, database),
        *prediction_rows(calculator, crystals),
        *batch_rows(calculator, crystals),
        *single_rows(calculator, crystals),
        *worker_rows(calculator, crystals),
        *cold_rows(loaded.name),
        *growth_rows(calculator),
    ]
    table = Table("", "", "median", "", title=f"{loaded.name}, one thread")
    for row in rows:
        table.add_row(row.section, row.what, f"{row.value:.4g}", row.unit)
    Console().print(table)
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    report = {"model": loaded.name, **versions, "rows": [row._asdict() for row in rows]}
    output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
