"""The command `eqtensor data label`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import counted
from ..extras import extra
from .app import (
    CALCULATOR,
    Address,
    Backend,
    Elements,
    Level,
    MaxAtoms,
    Workers,
    console,
    resumable,
)
from .data import data


@data.command()
def label(
    source: Annotated[
        str, typer.Argument(help="Training database, or ASE database, folder, list of paths.")
    ],
    output: Annotated[Path, typer.Argument(help="File to write, or to go on with.")],
    calculator: Annotated[str, typer.Option(help=CALCULATOR)] = "7net-l3i5",
    level: Level = "",
    datasets: Annotated[
        list[str] | None, typer.Option("--dataset", help="Data set of a training database.")
    ] = None,
    max_atoms: MaxAtoms = None,
    elements: Elements = None,
    volume_ratios: Annotated[
        list[float] | None,
        typer.Option("--volume-ratio", help="Label strained copies, too: 0.9 of the volume, say."),
    ] = None,
    ratios_each: Annotated[
        int | None, typer.Option(help="How many of the volume ratios each crystal gets.")
    ] = None,
    force_constants: Annotated[
        bool,
        typer.Option("--force-constants", help="Those of all displacements, too, as at Gamma."),
    ] = False,
    internal_strain: Annotated[
        bool, typer.Option("--internal-strain", help="Where the ions go under strain, too.")
    ] = False,
    workers: Workers = 1,
    backend: Backend = "local",
    address: Address = None,
) -> None:
    """Stiffness of crystals, relaxed with a potential; run it again to go on after an interruption.

    Smallest cells come first. A crystal that several data sets share is labelled once.

    Example: eqtensor data label crystals.db labels.jsonl --dataset elastic --dataset moduli
    --volume-ratio 0.9 --volume-ratio 1.1
    """
    with extra("data"):
        from ase_eqtensor.train.teacher.crystals import crystals
        from ase_eqtensor.train.teacher.labelling import label as run_label

    found = crystals(source, datasets or (), max_atoms, elements or ())
    with resumable("labelling", f"{output} holds what was done") as progress:
        result = run_label(
            found,
            output,
            calculator,
            level,
            volume_ratios=volume_ratios or (),
            ratios_each=ratios_each,
            force_constants=force_constants,
            internal_strain=internal_strain,
            workers=workers,
            backend=backend,
            address=address,
            progress=progress,
        )
    labels, failures = counted(result.labels, "label"), counted(result.failures, "failure")
    console.print(f"{output}: {labels} and {failures}, {result.new} of them new")
