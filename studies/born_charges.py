"""Learnt charges beside Born effective charges of the literature:

    python -m studies.born_charges [MODEL] [PARTNER]

The charges of a partner's card have learnt from ionic permittivities and force constants alone
(train/partner/charges.py). The literature's are those of density-functional perturbation theory;
compared is a third of the trace of the cation's.
"""

from typing import Annotated, NamedTuple

import numpy as np
import typer
from ase import Atoms
from ase.build import bulk

from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.models.charges import Neighbourhoods
from ase_eqtensor.models.partner_card import read_partner
from ase_eqtensor.models.store import load_model
from ase_eqtensor.train.card import table
from studies.literature import described

CLOSE = 0.15  # relative


class Known(NamedTuple):
    """A crystal, one of its elements, a third of the trace of its charge, and where it is from."""

    atoms: Atoms
    symbol: str
    charge: float
    source: str


# Written down without the papers at hand.
KNOWN = (
    Known(bulk("NaCl", "rocksalt", a=5.69), "Na", 1.09, "Yao, Fu, PRB 79, 014103 (2009)"),
    Known(bulk("MgO", "rocksalt", a=4.25), "Mg", 1.98, "Schütt et al., Z. Phys. B (1994)"),
    Known(
        bulk("ZnO", "wurtzite", a=3.28, c=5.30, u=0.379),
        "Zn",
        2.11,
        "Bernardini et al., PRB 56, R10024 (1997)",
    ),
    Known(bulk("GaAs", "zincblende", a=5.75), "Ga", 2.07, "Giannozzi et al., PRB 43, 7231 (1991)"),
    Known(bulk("SiC", "zincblende", a=4.38), "Si", 2.70, "Karch et al., PRB 50, 17054 (1994)"),
    Known(
        described(
            "Ba Ti O", [(0, 0, 0), (0.5,) * 3, (0.5, 0.5, 0)], 221, (4.03, 4.03, 4.03, 90, 90, 90)
        ),
        "Ti",
        7.25,
        "Ghosez et al., PRB 58, 6224 (1998)",
    ),
    Known(
        described(
            "Li Nb O",
            [(0, 0, 0.2787), (0, 0, 0), (0.0476, 0.3433, 0.0634)],
            161,
            (5.21, 5.21, 14.1, 90, 90, 120),
        ),
        "Nb",
        7.2,
        "Veithen, Ghosez, PRB 65, 214302 (2002)",
    ),
    Known(bulk("CaF2", "fluorite", a=5.50), "Ca", 2.36, "Verstraete, Gonze, PRB 68, 195123 (2003)"),
    Known(
        described("Ti O", [(0, 0, 0), (0.305, 0.305, 0)], 136, (4.65, 4.65, 2.97, 90, 90, 90)),
        "Ti",
        6.73,
        "Lee et al., PRB 50, 13379 (1994)",
    ),
)


def main(
    name: Annotated[str | None, typer.Argument(help="Model; the default one if left out.")] = None,
    partner: Annotated[str, typer.Argument(help="Its partner.")] = "7net-l3i5",
) -> None:
    """Print a table of learnt and known charges."""
    network = read_partner(load_model(name).partners[partner]).born_charges()
    rows, close = [], 0
    for one in KNOWN:
        members = network(Neighbourhoods.of([one.atoms]))[:, 0].double().numpy()
        atom = list(one.atoms.symbols).index(one.symbol)
        charges = np.trace(members[:, atom], axis1=1, axis2=2) / 3
        off = charges.mean() / one.charge - 1
        close += abs(off) < CLOSE
        rows.append(
            [
                reduced_formula(one.atoms),
                one.symbol,
                f"{one.charge:.2f}",
                f"{charges.mean():.2f} ({charges.min():.2f} to {charges.max():.2f})",
                f"{100 * off:+.0f} %",
                one.source,
            ]
        )
    print(table(["crystal", "atom", "known", "learnt (members)", "off", "source"], rows))
    print(f"{close} of {len(KNOWN)} within {100 * CLOSE:.0f} %")


if __name__ == "__main__":
    typer.run(main)
