"""Labels beside first-principles values: python -m ase_eqtensor.train.teacher.agreement LABELS DB

Only relaxed, stable crystals are compared, each with the row of its own data set, quarantined rows
left out. K' = -dlnK/dlnV is taken between them and their copies at nearly the same volume.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.comparison import relative_errors
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets.metrics import anisotropic_skill, isotropic_oracle
from ase_eqtensor.train.targets.stiffness import ELASTIC, MODULI, G, K
from ase_eqtensor.train.teacher.labels import Label, read_failures, read_labels
from ase_eqtensor.train.teacher.moduli import mandel, moduli, stiffening
from ase_eqtensor.train.teacher.shear import SHEAR, family

SMALL = 0.06  # change of the volume up to which a copy tells K'

Pair = tuple[Label, Record]


def pairs(labels: Sequence[Label], records: Sequence[Record]) -> list[Pair]:
    """Labels of relaxed, stable crystals with the rows that they were made from."""
    rows = {(r.dataset, r.source_id): r for r in records if not r.quarantine}
    relaxed = (x for x in labels if x.volume_ratio == 1 and x.stable and x.converged)
    return [(x, rows[x.dataset, x.id]) for x in relaxed if (x.dataset, x.id) in rows]


def compare_moduli(found: Sequence[Pair]) -> str:
    """Ratio of K and G of the labels to first-principles ones, and mean absolute differences."""
    own = moduli([label for label, _ in found])
    true = np.array([[record.targets[K], record.targets[G]] for _, record in found])
    lines = []
    for name, x, y in zip(("K", "G"), own.T, true.T):
        low, middle, high = np.quantile(x / y, [0.1, 0.5, 0.9])
        lines.append(
            f"{name}: {middle:.2f} times first principles in the median ({low:.2f} to {high:.2f} "
            f"in eight of ten), mean absolute difference {np.abs(x - y).mean():.1f} GPa"
        )
    return "\n".join(lines)


def compare_families(found: Sequence[Pair]) -> str:
    """Median ratio of K and G of the labels to first-principles ones, for each chemical family."""
    lines = []
    for name in SHEAR:
        pairs = [(x, r) for x, r in found if family(x.numbers) == name]
        if pairs:
            true = np.array([[record.targets[K], record.targets[G]] for _, record in pairs])
            k, g = np.median(moduli([label for label, _ in pairs]) / true, axis=0)
            lines.append(f"{len(pairs)} {name}: K {k:.2f}, G {g:.2f} times first principles")
    return "\n".join(lines)


def compare_tensors(found: Sequence[Pair]) -> str:
    """Relative error and anisotropic skill of whole tensors."""
    own = mandel([label for label, _ in found])
    tensors = np.array([record.targets[STIFFNESS.name] for _, record in found])
    true = STIFFNESS.from_ase(tensors) / GPA
    error, oracle = relative_errors(own, true), isotropic_oracle(STIFFNESS.form, true)
    skill = anisotropic_skill(STIFFNESS.form, own, true)["all"]
    return (
        f"tensors: relative error {np.median(error):.3f} / {error.mean():.3f} (median / mean), "
        f"anisotropic skill {skill:.2f}, isotropic oracle {np.median(oracle):.3f} / "
        f"{oracle.mean():.3f}"
    )


def pressure_response(labels: Sequence[Label]) -> np.ndarray:
    """K' (n,) of the crystals with a stable copy at nearly the relaxed volume."""
    stable = [x for x in labels if x.stable and x.converged]
    relaxed = {(x.dataset, x.id): x for x in stable if x.volume_ratio == 1}
    copies = [x for x in stable if 0 < abs(x.volume_ratio - 1) < SMALL]
    copies = [x for x in copies if (x.dataset, x.id) in relaxed]
    if not copies:
        return np.zeros(0)
    return stiffening(copies, [relaxed[x.dataset, x.id] for x in copies])


def describe(labels: Path, database: Path) -> str:
    """All of it as text."""
    found, failures = read_labels(labels), list(read_failures(labels))
    relaxed = [x for x in found if x.volume_ratio == 1]
    text = [
        f"{len(relaxed)} relaxed crystals, {len(found) - len(relaxed)} strained copies, "
        f"{len(failures)} failures",
        f"not converged: {sum(not x.converged for x in found)}; unstable: "
        f"{sum(not x.stable for x in relaxed)} relaxed, "
        f"{sum(not x.stable for x in found) - sum(not x.stable for x in relaxed)} strained",
        f"{sum(x.seconds for x in found) / 3600:.1f} core-hours, "
        f"{np.mean([x.seconds for x in found]):.2f} s for a label",
    ]
    matched = pairs(found, read_database(database))
    for dataset in (ELASTIC, MODULI):
        own = [pair for pair in matched if pair[1].dataset == dataset.name]
        if own:
            text += [f"\n{dataset.name}, {len(own)} stable crystals", compare_moduli(own)]
            text.append(compare_tensors(own) if dataset is ELASTIC else compare_families(own))
    response = pressure_response(found)
    if len(response):
        low, middle, high = np.quantile(response, [0.05, 0.5, 0.95])
        text.append(
            f"\nK' of {len(response)} crystals: {middle:.1f} in the median, {low:.1f} to "
            f"{high:.1f} in nine of ten"
        )
    return "\n".join(text)


def main(
    labels: Annotated[Path, typer.Argument(help="File of `eqtensor data label`.")],
    database: Annotated[Path, typer.Argument(help="Training database that was labelled.")],
) -> None:
    """Compare labels with first-principles tensors and moduli."""
    print(describe(labels, database))


if __name__ == "__main__":
    typer.run(main)
