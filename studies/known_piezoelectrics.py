"""Predicted piezoelectric constants beside known ones:

    python -m studies.known_piezoelectrics [MODEL]

for eight crystals, each by the whole model and by the members that left its composition out. Polar
axes point where the cations are displaced (BaTiO3, LiNbO3), or from a cation to the anion of the
bond along the axis (wurtzites); [111] of zincblende points from a cation to the next anion. With
these axes the signs of the literature hold. That of e11 of quartz follows from the x axis: here it
is the one along which silicon, positive, moves under tension along it.
"""

from typing import Annotated, NamedTuple

import numpy as np
import typer
from ase import Atoms
from ase.build import bulk

from ase_eqtensor.calculator import EqTensorCalculator
from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.models.store import held_out, load_model
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.train.card import table
from ase_eqtensor.train.fitting.samples import prepare
from ase_eqtensor.train.folds import fold_of
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.outputs import read
from ase_eqtensor.train.targets.piezoelectric import PIEZOELECTRIC_DATA
from studies.literature import described

ORDER = 3.0  # a factor within which two constants are of the same order of magnitude


class Known(NamedTuple):
    """A crystal, the constant e_iJ (Voigt, from 1) that is known, C/m^2, and where it is from."""

    atoms: Atoms
    i: int
    j: int
    value: float
    source: str


def wurtzite(formula: str, a: float, c: float, u: float) -> Atoms:
    """A wurtzite crystal with +z from a cation to the anion above it."""
    atoms = bulk(formula, "wurtzite", a=a, c=c, u=u)
    cation, anion = (atoms.positions[atoms.numbers == z] for z in dict.fromkeys(atoms.numbers))
    above = [
        (q - p)[2] / c % 1 for p in cation for q in anion if np.linalg.norm((q - p)[:2]) < 1e-3
    ]
    if min(above) > 0.5:  # the bond along the axis points down
        atoms.set_cell(atoms.cell * [1, 1, -1], scale_atoms=True)
    return atoms


# Written down without the papers at hand.
BERNARDINI = "Bernardini et al., PRB 56, R10024 (1997), first principles"
KNOWN = (
    Known(wurtzite("ZnO", 3.25, 5.207, 0.382), 3, 3, 0.89, BERNARDINI),
    Known(wurtzite("AlN", 3.112, 4.982, 0.382), 3, 3, 1.46, BERNARDINI),
    Known(wurtzite("GaN", 3.189, 5.185, 0.377), 3, 3, 0.73, BERNARDINI),
    Known(
        bulk("GaAs", "zincblende", a=5.653), 1, 4, -0.16, "Arlt, Quadflieg, phys. stat. sol. 1968"
    ),
    Known(
        bulk("ZnS", "zincblende", a=5.41), 1, 4, 0.147, "Berlincourt et al., PR 129, 1009 (1963)"
    ),
    Known(
        described(
            "Ba Ti O O",
            [(0, 0, 0), (0.5, 0.5, 0.5224), (0.5, 0.5, -0.0244), (0.5, 0, 0.4895)],
            99,
            (3.994, 3.994, 4.034, 90, 90, 90),
        ),
        3,
        3,
        6.7,
        "Zgonik et al., PRB 50, 5941 (1994)",
    ),
    Known(
        described(
            "Li Nb O",
            [(0, 0, 0.2787), (0, 0, 0), (0.0492, 0.3446, 0.0647)],
            161,
            (5.148, 5.148, 13.863, 90, 90, 120),
        ),
        3,
        3,
        1.3,
        "Warner et al., J. Acoust. Soc. Am. 42, 1223 (1967)",
    ),
    Known(
        described(
            "Si O",
            [(0.4697, 0, 2 / 3), (0.4133, 0.2672, 0.7855)],
            154,
            (4.916, 4.916, 5.405, 90, 90, 120),
        ),
        1,
        1,
        0.171,
        "Bechmann, PR 110, 1060 (1958)",
    ),
)


def main(
    model: Annotated[str | None, typer.Argument(help="Shipped model or .safetensors file.")] = None,
) -> None:
    """Print known and predicted constants."""
    loaded = held_out(load_model(model))
    calculator = EqTensorCalculator(model)
    rows, signs, orders = [], 0, 0
    for known in KNOWN:
        formula = reduced_formula(known.atoms)
        (prediction,) = calculator.predict([known.atoms])
        whole = prediction.tensors[PIEZOELECTRIC.name] * C_PER_M2
        members = loaded.members_without(fold_of(formula))
        record = Record(known.atoms, PIEZOELECTRIC_DATA.name, "known", formula, {})
        network = select(loaded.network, members)
        samples = prepare([record], network.architecture.cutoff, workers=1)
        blind = read(network, samples)[1][PIEZOELECTRIC.name].numpy()[0]
        blind = PIEZOELECTRIC.to_ase(blind) * C_PER_M2
        place = known.i - 1, known.j - 1
        right = [side[place] * known.value > 0 for side in (whole, blind)]
        alike = [1 / ORDER < abs(side[place] / known.value) < ORDER for side in (whole, blind)]
        signs, orders = signs + np.array(right), orders + np.array(alike)
        rows.append(
            [
                formula,
                f"e{known.i}{known.j}",
                f"{known.value:.2f}",
                f"{whole[place]:.2f}",
                f"{blind[place]:.2f}",
                known.source,
            ]
        )
    header = ["", "", "known, C/m²", "model", "without its composition", "source"]
    print(table(header, rows))
    for name, sign, order in zip(("model", "without its composition"), signs, orders):
        print(f"{name}: sign right for {sign} of {len(KNOWN)}, within a factor of 3 for {order}")


if __name__ == "__main__":
    typer.run(main)
