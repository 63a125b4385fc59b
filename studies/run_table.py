"""Rows of the tables of docs/training.md: python -m studies.run_table RUN [RUN ...]

The score is the mean over tensors of the median error plus half the mean error, by which recipes
are chosen; all figures are those on val.
"""

import csv
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor.models.store import load_model
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.card import table
from ase_eqtensor.train.fitting.fit import LOGS
from ase_eqtensor.train.targets.stiffness import G, K

COLUMNS = [
    "configuration", "fold, seed", "epochs, best", "minutes", "score",
    "stiffness median / mean (skill)", "K / G, GPa", "eps_inf median / mean",
    "eps_total median / mean", "",
]  # fmt: skip


def median_mean(figures: dict) -> str:
    """Relative errors of a tensor."""
    return " / ".join(f"{figures[f'{kind}_relative']['value']:.3f}" for kind in ("median", "mean"))


def moduli(figures: dict) -> str:
    """Mean absolute errors of K and G in GPa."""
    return " / ".join(f"{figures[f'{name}_mae']:.1f}" for name in (K, G))


def epochs(run: Path) -> str:
    """How many were run, and which had the best score."""
    scores = []
    for path in sorted((run / LOGS).glob("*/metrics.csv")):
        with path.open() as lines:
            scores += [float(r["val_score"]) for r in csv.DictReader(lines) if r["val_score"]]
    return f"{len(scores)}, {int(np.argmin(scores))}"


def row(run: Path) -> list[str]:
    """The row of a finished run, the first and the last column for people to fill in."""
    card = load_model(run / f"{run.name}.safetensors").card
    val, (member,) = card.figures_of("val"), card.members
    stiff, electronic, total = tensors = [val[q.name] for q in (STIFFNESS, ELECTRONIC, TOTAL)]
    scores = [t["median_relative"]["value"] + t["mean_relative"]["value"] / 2 for t in tensors]
    return [
        run.name,
        f"{member.fold}, {member.seed}",
        epochs(run),
        f"{member.minutes:.0f}",
        f"{np.mean(scores):.3f}",
        f"{median_mean(stiff)} ({stiff['anisotropic_skill']['all']:.2f})",
        moduli(stiff),
        median_mean(electronic),
        median_mean(total),
        "",
    ]


def main(
    runs: Annotated[list[Path], typer.Argument(help="Folders of `eqtensor train`.")],
) -> None:
    """Print the table."""
    print(table(COLUMNS, [row(run) for run in runs]))


if __name__ == "__main__":
    typer.run(main)
