"""The application that every command registers with, and what commands have in common."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..prediction.settings import Settings

FAILED, PARTLY_FAILED = 1, 3  # exit codes; 2 is that of wrong arguments
DEFAULT_DATABASE = Path("crystals.db")
DEFAULTS = Settings()

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()
messages = Console(stderr=True, highlight=False, soft_wrap=True)

Database = Annotated[Path, typer.Option("--database", "-d", help="Training database.")]

# Options of every command that predicts, named and defaulted as in `EqTensorCalculator`.
ModelName = Annotated[
    str | None,
    typer.Option("--model", help="Shipped model (`eqtensor models`) or .safetensors file."),
]
Device = Annotated[str, typer.Option(help="torch device of the network: cpu, cuda, ...")]
Dtype = Annotated[str, typer.Option(help="Precision of the network: float32 or float64.")]
Symprec = Annotated[float, typer.Option(help="Tolerance of the symmetry search in Å.")]
AllowUntrainedElements = Annotated[
    bool,
    typer.Option(
        "--allow-untrained-elements", help="Predict elements that the training data lack, too."
    ),
]
Workers = Annotated[int, typer.Option("--workers", "-j", help="Processes; -1: one per core.")]


@app.callback()
def about(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Dielectric and elastic tensors of crystals from an equivariant network."""
