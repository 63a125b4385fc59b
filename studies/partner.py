"""What a potential as partner brings, crystal by crystal and out of fold:

    python -m studies.partner MODEL DATABASE LABELS... [--max-atoms 12]

A crystal is predicted by members of the model that left its fold out, and combined with what the
potential says by fits to the other folds. Beside both stand the potential alone, as it is, and, as
the trivial way of combining them, the plain mean of both logarithms.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor.crystal.symmetry import analyse, primitive
from ase_eqtensor.models.mixture import ionic_size
from ase_eqtensor.models.partnership import stiffnesses
from ase_eqtensor.models.store import load_model
from ase_eqtensor.quantities import QUANTITIES
from ase_eqtensor.quantities.permittivity import ELECTRONIC_NAME, TOTAL_NAME
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.comparison import relative_errors
from ase_eqtensor.tensors.notation import of_symmetric
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.partner.calibrate import read_opinions
from ase_eqtensor.train.partner.cases import Cases, cases
from ase_eqtensor.train.partner.fit import crossed
from ase_eqtensor.train.targets.metrics import anisotropic_skill
from ase_eqtensor.train.targets.permittivity import DIELECTRIC
from ase_eqtensor.train.targets.stiffness import ELASTIC

Errors = Callable[[np.ndarray], np.ndarray]


def stiffness_table(asked: Cases, mixed: np.ndarray, small: np.ndarray) -> str:
    """Mean and median relative errors of stiffnesses, by fold."""
    rows = np.flatnonzero(
        small & np.array([STIFFNESS.name in record.targets for record in asked.records])
    )
    own = asked.rows(rows)
    tensors = np.array([record.targets[STIFFNESS.name] for record in own.records])
    true, network = STIFFNESS.from_ase(tensors), own.tensors[STIFFNESS.name]
    _, known, potential, _ = stiffnesses(own.said, network)
    alone, plain = network.copy(), network.copy()
    alone[known] = potential
    logarithms = of_symmetric(np.log, network[known]) + of_symmetric(np.log, potential)
    plain[known] = of_symmetric(np.exp, logarithms / 2)
    sides = {"network": network, "potential": alone, "plain mean": plain, "both": mixed[rows]}
    return _by_fold(sides, true, own.folds, lambda side: relative_errors(side, true)) + "".join(
        f"\nanisotropic skill, {name}: {anisotropic_skill(STIFFNESS.form, side, true)['all']:.2f}"
        for name, side in sides.items()
    )


def permittivity_table(asked: Cases, mixed: np.ndarray, small: np.ndarray) -> str:
    """Errors of a third of the trace of total permittivities, relative, by fold."""
    rows = np.flatnonzero(
        small & np.array([TOTAL_NAME in record.targets for record in asked.records])
    )
    own = asked.rows(rows)
    true = np.array([record.targets[TOTAL_NAME] for record in own.records])
    sides = {"network": own.tensors[TOTAL_NAME], "both": mixed[rows]}
    nothing = np.zeros_like(true)

    def errors(side: np.ndarray) -> np.ndarray:
        return np.abs(ionic_size(side, nothing) / ionic_size(true, nothing) - 1)

    return _by_fold(sides, true, own.folds, errors)


def _by_fold(
    sides: dict[str, np.ndarray], true: np.ndarray, folds: np.ndarray, errors: Errors
) -> str:
    found = {name: errors(side) for name, side in sides.items()}
    better = found["both"] < found["network"]
    lines = []
    for fold in [*np.unique(folds).tolist(), "all"]:
        own = np.ones(len(folds), dtype=bool) if fold == "all" else folds == fold
        cells = [f"{e[own].mean():.3f} / {np.median(e[own]):.3f}" for e in found.values()]
        lines.append([str(fold), str(own.sum()), *cells, f"{100 * better[own].mean():.0f} %"])
    return table(["fold", "crystals", *found, "better with both"], lines)


def main(
    name: Annotated[str, typer.Argument(help="Shipped model or .safetensors file.")],
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    labels: Annotated[list[Path], typer.Argument(help="Files of `eqtensor data label`.")],
    max_atoms: Annotated[int, typer.Option(help="In the primitive cell.")] = 12,
) -> None:
    """Print tables of mean / median relative errors, by fold."""
    opinions, _ = read_opinions(labels)
    names = (ELASTIC.name, "moduli", DIELECTRIC.name)
    everything = cases(load_model(name), read_database(database), opinions, names)
    asked = everything.rows(np.array([not isinstance(x, str) for x in everything.said]))
    small = np.array(
        [len(primitive(r.atoms, analyse(r.atoms))) <= max_atoms for r in asked.records]
    )
    combined = crossed(asked)
    print(f"{STIFFNESS.name}, at most {max_atoms} atoms, mean / median")
    print(stiffness_table(asked, combined.tensors[STIFFNESS.name], small))
    print(f"\n{QUANTITIES[TOTAL_NAME].display.short}, a third of the trace, mean / median")
    print(permittivity_table(asked, combined.tensors[TOTAL_NAME], small))
    used = combined.used(TOTAL_NAME) & small & (asked.datasets == DIELECTRIC.name)
    print(f"\nthe potential had its say in {used.sum()} of them ({ELECTRONIC_NAME} is as it was)")


if __name__ == "__main__":
    typer.run(main)
