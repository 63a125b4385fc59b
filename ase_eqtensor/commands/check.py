"""The command `eqtensor check`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..calculator import EqTensorCalculator
from ..checking import judged
from ..checking.given import Given, read_given, read_tensor
from ..checking.writing import repaired
from ..errors import EqTensorError, StructureError
from ..files import check_output, expand, save
from ..files.reading import first_crystal
from .app import FAILED, PARTLY_FAILED, ModelName, app, messages, tell_of_failures, with_settings
from .checked import Checked, print_json, print_verdicts


@app.command()
@with_settings
def check(
    files: Annotated[
        list[str],
        typer.Argument(
            help="Crystals with tensors: extended XYZ, ASE database, JSON with pymatgen structures "
            "or of the Materials Project, OUTCAR, vasprun.xml, BORN; patterns too."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write all crystals with right and repaired tensors to a file."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    tensor: Annotated[
        Path | None,
        typer.Option(help="File with the tensor of the one crystal: text, .npy or JSON."),
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(help="What --tensor is: elasticity, dielectric, ...; else by its shape."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Of --tensor: GPa, kbar, eV/Å^3, C/m^2, e/Å^2.")
    ] = None,
    structure: Annotated[
        Path | None, typer.Option(help="File of the crystal, if it is not with the tensor.")
    ] = None,
    model: ModelName = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Find out whether tensors that somebody gives are right, and repair them.

    Each is held against the point group of its crystal and the model's prediction with its bounds,
    as it is and with known mistakes undone: another frame, Voigt order or unit, clamped ions, a
    transposed matrix. The exit code is 3 if a tensor is wrong or doubtful or a file cannot be read,
    and 1 if nothing could be checked.

    Examples: eqtensor check OUTCAR
    eqtensor check data.extxyz -o repaired.extxyz
    eqtensor check ZnO.cif --tensor stiffness.txt --unit kbar
    """
    if (quantity or unit) and tensor is None:
        raise typer.BadParameter("--quantity and --unit go with --tensor")
    if output is not None:
        check_output(output, overwrite)
    calculator = EqTensorCalculator(model, **settings)
    crystal = None if structure is None else first_crystal(structure)
    found: list[Given | EqTensorError] = []
    names = expand(files).names
    if tensor is not None:
        if len(names) != 1:
            raise typer.BadParameter("--tensor goes with one crystal")
        found.append(_with_tensor(names[0], tensor, quantity, unit))
    else:
        for name in names:
            found += read_given(name, crystal)
    given = [one for one in found if isinstance(one, Given)]
    failures = [one for one in found if isinstance(one, EqTensorError)]
    predictions = calculator.predictor.predict(
        [one.atoms for one in given], labels=[one.label for one in given]
    )
    checked: list[Checked] = []
    for one, prediction in zip(given, predictions):
        if isinstance(prediction.error, StructureError) and not prediction.tensors:
            failures.append(prediction.error)
            continue
        found_here = judged(one.atoms, one.tensors, prediction, calculator.predictor, one.clamped)
        checked.append(Checked(one, prediction, found_here))
    tell_of_failures(failures)
    if checked:
        (print_json if as_json else print_verdicts)(checked)
        sys.stdout.flush()
        if output is not None:
            save(output, [repaired(one.given, one.verdicts) for one in checked], overwrite)
            messages.print(f"written to {output}", markup=False)
    alarm = any(verdict.alarm for one in checked for verdict in one.verdicts.values())
    if failures or alarm:
        raise typer.Exit(PARTLY_FAILED if checked else FAILED)


def _with_tensor(
    name: str, tensor: Path, quantity: str | None, unit: str | None
) -> Given | EqTensorError:
    """The first crystal of a file, with a tensor of another file."""
    try:
        atoms = first_crystal(name)
    except StructureError as error:
        return error
    known, array = read_tensor(tensor, quantity, unit)
    return Given(name, atoms, {known: array})
