"""The command `eqtensor calibrate-partner`."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import counted
from ..extras import extra
from ..models.partner_card import write_partner
from ..models.store import load_model
from ..storage import check_place
from .app import (
    CALCULATOR,
    Address,
    Backend,
    Elements,
    Level,
    MaxAtoms,
    ModelName,
    Workers,
    app,
    console,
    resumable,
)


@app.command()
def calibrate_partner(
    calculator: Annotated[str, typer.Argument(help=CALCULATOR)],
    database: Annotated[
        Path, typer.Argument(help="Database of `eqtensor data build` with known tensors.")
    ],
    output: Annotated[Path, typer.Argument(help="JSON file to write, for --partner.")],
    level: Level = "",
    max_atoms: MaxAtoms = 12,
    elements: Elements = None,
    count: Annotated[
        int | None, typer.Option(help="Crystals of either tensor, the smallest ones.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
    model: ModelName = None,
    workers: Workers = 1,
    backend: Backend = "local",
    address: Address = None,
) -> None:
    """Find out what a calculator is worth as a partner of the network.

    It relaxes and strains crystals of known tensors; what it says of them is kept beside the
    output, and the same command goes on after an interruption. Members of the network that never
    saw a crystal are asked about it.

    Example: eqtensor calibrate-partner mace.calculators:mace_mp crystals.db mace.json
    --level "PBE, fitted to MPtrj" --count 300
    """
    with extra("train"):
        from ase_eqtensor.train.partner.calibrate import label_and_calibrate

    check_place(output, overwrite)
    labels = output.with_suffix(".labels.jsonl")
    with resumable("labelling", f"{labels} holds what was done") as progress:
        card = label_and_calibrate(
            load_model(model),
            database,
            labels,
            calculator,
            level,
            max_atoms=max_atoms,
            elements=elements or (),
            count=count,
            workers=workers,
            backend=backend,
            address=address,
            progress=progress,
        )
    write_partner(card, output)
    for name, found in card.figures.items():
        crystals = counted(int(found["crystals"]), "crystal")
        console.print(
            f"{name}, {crystals}: mean error {found['mean']:.3f}, "
            f"{found['network_mean']:.3f} by the network alone"
        )
