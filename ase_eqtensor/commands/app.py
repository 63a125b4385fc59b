"""The application that every command registers with, and what commands have in common."""

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from ..errors import counted
from ..prediction.settings import DEFAULTS

FAILED, PARTLY_FAILED = 1, 3  # exit codes; 2 is that of wrong arguments
INTERRUPTED = 130  # as shells have it
DEFAULT_DATABASE = Path("crystals.db")
SHOWN = 8  # names in a list of many

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
messages = Console(stderr=True, highlight=False, soft_wrap=True)

Database = Annotated[Path, typer.Option("--database", "-d", help="Training database.")]

# Options of every command that predicts, named and defaulted as in `EqTensorCalculator`.
ModelName = Annotated[
    str | None,
    typer.Option("--model", help="Shipped model (`eqtensor models`) or .safetensors file."),
]
Workers = Annotated[int, typer.Option("--workers", "-j", help="Processes; -1: one per core.")]
Backend = Annotated[str, typer.Option(help="local, dask or ray.")]
Address = Annotated[str | None, typer.Option(help="Running Dask scheduler or Ray cluster.")]

# Of commands that ask a potential.
CALCULATOR = "7net-l3i5, 7net-0, or module:callable that makes a calculator."
Level = Annotated[
    str, typer.Option(help="Level of theory of a calculator given as module:callable.")
]
MaxAtoms = Annotated[int | None, typer.Option(help="Leave out larger cells.")]
Elements = Annotated[
    list[str] | None, typer.Option("--element", help="Leave out crystals without any of these.")
]
SETTINGS = {
    "device": Annotated[str, typer.Option(help="torch device of the network: cpu, cuda, ...")],
    "dtype": Annotated[str, typer.Option(help="Precision of the network: float32 or float64.")],
    "symprec": Annotated[float, typer.Option(help="Tolerance of the symmetry search in Å.")],
    "allow_untrained_elements": Annotated[
        bool,
        typer.Option(
            "--allow-untrained-elements", help="Predict elements that the training data lack, too."
        ),
    ],
    "prefer_known": Annotated[
        bool,
        typer.Option(
            "--prefer-known",
            help="Give the first-principles tensors of structures in the training data.",
        ),
    ],
    "level": Annotated[
        str, typer.Option(help='"first principles", or "measured": as a measurement finds them.')
    ],
    "partner": Annotated[
        str | None,
        typer.Option(
            help="Potential that makes the tensors better and takes seconds: 7net-l3i5, or a file "
            "of `eqtensor calibrate-partner`."
        ),
    ],
}


# Arguments that messages name as Python has them.
NAMED = (*SETTINGS, "model", "workers", "backend", "address", "overwrite", "resume")


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `SETTINGS`; they reach it as a dictionary, `settings`."""

    @wraps(command)
    def wrapped(**options) -> None:
        command(settings={name: options.pop(name) for name in SETTINGS}, **options)

    signature = inspect.signature(command)
    parameters = [p for p in signature.parameters.values() if p.name != "settings"]
    for name, annotation in SETTINGS.items():
        default = getattr(DEFAULTS, name, None)  # without a partner
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(name, kind, default=default, annotation=annotation))
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return wrapped


@contextmanager
def resumable(doing: str, state: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, yielded as a function of what is done and the total; says how to go on when
    the user stops the run. `state` is what that leaves behind."""
    try:
        with Progress(console=messages, transient=True) as bar:
            task = bar.add_task(doing, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
    except KeyboardInterrupt:
        messages.print(f"interrupted: {state}; the same command goes on")
        raise typer.Exit(INTERRUPTED) from None


def with_options(text: str) -> str:
    """A message in which arguments of Python are options: --symprec 0.5 instead of symprec=0.5."""

    def option(match: re.Match) -> str:
        name, value = match.groups()
        return f"--{name.replace('_', '-')}" + ("" if value == "True" else f" {value}")

    return re.sub(rf"\b({'|'.join(NAMED)})=(True\b|'[^']*'|[-+.\w]+)", option, text)


def tell_of_failures(failures: Iterable[Exception | str]) -> None:
    """Say why crystals were left out, each error in full."""
    for failure in failures:
        messages.print(with_options(str(failure)), markup=False)


def tell_of_skipped(files: Sequence[str]) -> None:
    """Say which files of folders were left out."""
    if files:
        listed = ", ".join(files[:SHOWN]) + (", ..." if len(files) > SHOWN else "")
        text = f"skipped {counted(len(files), 'file')} in no format of crystals: {listed}"
        messages.print(text, markup=False)


def tell_of_given(names: Iterable[str]) -> None:
    """Say once which data of the user's have another name in the output."""
    counts = Counter(names)
    if counts:
        listed = ", ".join(f"{name} (of {count})" for name, count in sorted(counts.items()))
        text = f"data of yours have the name of a prediction and are kept as {listed}"
        messages.print(text, markup=False)


def _show_version(asked: bool) -> None:
    if asked:
        from .. import __version__
        from ..models.store import DEFAULT_MODEL

        typer.echo(f"ase-eqtensor {__version__}, model {DEFAULT_MODEL}")
        raise typer.Exit


@app.callback()
def about(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print and exit."),
    ] = False,
) -> None:
    """Dielectric, elastic and piezoelectric tensors of crystals from an equivariant network."""
