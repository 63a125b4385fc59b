"""Whether large and small values come out as large and as small as they are, out of fold.

    python -m studies.ranges crystals.db [MODEL]

Averages of errors hide compression: a model that predicts every Zener ratio to be 1 and every large
ionic permittivity to be moderate may still have small ones.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor import load_model
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS, Moduli
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.scoring.outputs import Predictions, out_of_fold

IONIC = ((1, 5), (5, 12), (12, 25), (25, 50), (50, 1000))  # trace / 3
SHEAR = ((0, 50), (50, 100), (100, 200), (200, 1000))  # GPa


def zener(stiffness: np.ndarray) -> np.ndarray:
    """ln (2 C44 / (C11 - C12)) of cubic stiffnesses (n, 6, 6; Mandel), in any frame: among the five
    shears, three have the eigenvalue 2 C44 and two C11 - C12."""
    hydrostatic = np.array([1, 1, 1, 0, 0, 0]) / 3**0.5
    shears = np.linalg.svd(hydrostatic[None])[2][1:]  # (5, 6)
    values = np.linalg.eigvalsh(shears @ stiffness @ shears.T)
    two_first = values[:, 2] - values[:, 1] > values[:, 3] - values[:, 2]
    first = np.log(values[:, 2:].mean(1) / values[:, :2].mean(1))
    last = np.log(values[:, :3].mean(1) / values[:, 3:].mean(1))
    return np.where(two_first, first, last)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Of the least squares line of y on x."""
    return float(np.polyfit(x, y, 1)[0])


def in_bins(true: np.ndarray, predicted: np.ndarray, bins) -> str:
    """Median of predicted over true values between limits of the true ones."""
    parts = []
    for low, high in bins:
        chosen = (true >= low) & (true < high)
        if chosen.any():
            middle = np.median(predicted[chosen] / true[chosen])
            parts.append(f"{low} to {high}: {middle:.2f} ({chosen.sum()})")
    return ", ".join(parts)


def describe(predictions: dict[str, Predictions]) -> str:
    """Zener ratios of cubic crystals, shear moduli and ionic parts."""
    stiff = predictions[STIFFNESS.name]
    cubic = np.flatnonzero([r.crystal_system == "cubic" for r in stiff.records])
    sides = [zener(side[cubic]) for side in (stiff.target, stiff.predicted)]
    sound = np.isfinite(sides[0]) & np.isfinite(sides[1])
    true, predicted = (side[sound] for side in sides)
    g = [Moduli(side).g for side in (stiff.target, stiff.predicted)]
    electronic, total = (predictions[q.name] for q in (ELECTRONIC, TOTAL))
    known = {id(r): i for i, r in enumerate(electronic.records)}
    rows = [(i, known[id(r)]) for i, r in enumerate(total.records) if id(r) in known]
    mine, other = map(list, zip(*rows))
    ions = [
        np.einsum("bii->b", t[mine] - e[other]) / 3
        for t, e in ((total.target, electronic.target), (total.predicted, electronic.predicted))
    ]
    return "\n".join(
        [
            f"ln Zener of {sound.sum()} cubic crystals: slope of predicted on true "
            f"{slope(true, predicted):.2f}, correlation {np.corrcoef(true, predicted)[0, 1]:.2f}",
            f"G predicted over true, median by G in GPa: {in_bins(*g, SHEAR)}",
            f"ionic part, median by its size: {in_bins(*ions, IONIC)}",
        ]
    )


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    model: Annotated[str | None, typer.Argument(help="Name or file of a model.")] = None,
    part: Annotated[str, typer.Option(help="val or test.")] = "test",
) -> None:
    """Print how far predicted values are compressed."""
    print(describe(out_of_fold(load_model(model), read_database(database), part)))


if __name__ == "__main__":
    typer.run(main)
