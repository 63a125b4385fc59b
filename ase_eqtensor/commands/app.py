"""The application that every command registers with, and what commands have in common."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

FAILED, PARTLY_FAILED = 1, 3  # exit codes; 2 is that of wrong arguments
DEFAULT_DATABASE = Path("crystals.db")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()
messages = Console(stderr=True, highlight=False, soft_wrap=True)

Database = Annotated[Path, typer.Option("--database", "-d", help="Training database.")]
ModelName = Annotated[
    str | None,
    typer.Option("--model", help="Shipped model (`eqtensor models`) or .safetensors file."),
]


@app.callback()
def about(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Dielectric and elastic tensors of crystals from an equivariant network."""
