"""The command `eqtensor predict`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import track

from ..calculator import EqTensorCalculator
from ..errors import DataError, EqTensorError, OutputExistsError, UnwritableError
from ..files import check_output, connect, expand, freeze, is_address, kept_as_given, save, storable
from ..prediction.predictor import Labelled
from .app import (
    FAILED,
    PARTLY_FAILED,
    ModelName,
    Workers,
    app,
    messages,
    tell_of_failures,
    tell_of_given,
    tell_of_skipped,
    with_settings,
)
from .predicted import chosen, print_table
from .records import print_csv, print_json

# Crystals between two steps of the progress bar; with a partner they take seconds each.
CHUNK, PARTNER_CHUNK = 64, 8


@app.command()
@with_settings
def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Crystals in any format that ASE reads, all frames: files, patterns, folders, "
            "or - for standard input."
        ),
    ],
    pattern: Annotated[str, typer.Option(help="Files of a folder.")] = "*",
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Write them to a .extxyz, .traj, .db or .json file as well."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON, with units in names.")
    ] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print scalars and entries of tensors as CSV.")
    ] = False,
    quantities: Annotated[
        str | None,
        typer.Option(help="Columns of table and CSV: elasticity,dielectric, for example."),
    ] = None,
    model: ModelName = None,
    workers: Workers = 1,
    *,
    settings: dict[str, Any],
) -> None:
    """Predict tensors with error estimates.

    In brackets: 90 % intervals; eps is a third of the trace. "Trained on" names the entry of the
    training data that has the same structure; its first-principles values stand below. Files that
    cannot be read or predicted do not stop the others: the exit code is 3 then, and 1 if nothing
    could be predicted.

    Examples: eqtensor predict TiO2.cif POSCAR cifs/
    eqtensor predict --quantities elasticity --csv *.cif
    eqtensor predict "cifs/*.cif" -o tensors.db && ase db tensors.db "k_vrh_gpa>100"
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose --json or --csv")
    if as_json and quantities:
        raise typer.BadParameter("--quantities chooses columns; --json prints everything")
    if output and is_address(output):
        with connect(output):  # a database out of reach is found out before the work
            pass
    elif output:
        check_output(Path(output), overwrite)
    calculator = EqTensorCalculator(model, **settings)
    columns = chosen(calculator.predictor, quantities)
    collection = expand(files, pattern, output)
    tell_of_skipped(collection.skipped)
    keys = collection.keys()
    hidden = len(keys) <= CHUNK
    reading = track(keys, "reading", console=messages, transient=True, disable=hidden)
    crystals = [crystal for key in reading for crystal in collection.read(key)]
    predicted: list[Labelled] = []
    failures: list[EqTensorError] = []
    size = CHUNK if calculator.partner is None else PARTNER_CHUNK
    chunks = range(0, len(crystals), size)
    hidden = len(crystals) <= size
    for i in track(chunks, "predicting", console=messages, transient=True, disable=hidden):
        chunk = calculator.predictor.predict_labelled(crystals[i : i + size], workers)
        predicted += chunk[0]
        failures += chunk[1]
    tell_of_failures(failures)
    if predicted:
        if as_json:
            print_json(calculator.predictor, predicted)
        else:
            show = print_csv if as_csv else print_table
            show(calculator.predictor, predicted, columns)
        sys.stdout.flush()  # results are seen before they are written, whatever happens then
    if output and predicted:
        failures += _save(output, predicted, overwrite)
    if failures:
        raise typer.Exit(PARTLY_FAILED if predicted else FAILED)


def _save(output: str, predicted: list[Labelled], overwrite: bool) -> list[DataError]:
    """Write all crystals that the file can hold; say which it cannot, and return why."""
    images = [freeze(atoms, entry, label) for label, atoms, entry in predicted]
    tell_of_given(
        name
        for (_, atoms, _), image in zip(predicted, images)
        for name in kept_as_given(atoms, image)
    )
    try:
        save(output, images, overwrite)
    except (OutputExistsError, UnwritableError):
        raise
    except DataError as error:
        suffix = ".db" if is_address(output) else Path(output).suffix
        images, failures = storable(images, [label for label, *_ in predicted], suffix)
        if not failures:
            raise error
        if images:
            save(output, images, overwrite)
        tell_of_failures(failures)
        return failures
    return []
