"""K and G out of fold beside the published results of LAMBench's task `elastic`, which has the same
1,181 crystals: python benchmarks/lambench.py [MODEL]

Potentials relax the crystal and strain it, and have never seen an elastic tensor; a model of this
package has seen those of the other folds. So this says what a user gets, not which network learns
better.
"""

import sys

from ase_eqtensor import load_model
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.card import table
from ase_eqtensor.train.targets.stiffness import G, K

# Mean absolute errors of Voigt-Reuss-Hill averages in GPa, K and G, as of April 2026
# (A. Peng et al., LAMBench, arXiv:2504.19578).
PUBLISHED = {
    "GRACE-2L-OAM": (7.46, 9.14),
    "DPA-3.2-5M": (8.61, 9.94),
    "DPA-3.1-3M": (8.68, 9.83),
    "SevenNet-MF-ompa": (10.26, 9.87),
    "MACE-MH-1": (11.94, 11.33),
    "Orb-v3-omat": (12.22, 9.12),
    "MatterSim-v1-5M": (14.95, 12.75),
    "MACE-MPA-0": (15.03, 10.27),
}


def board(name: str | None = None) -> str:
    """Markdown table of the published results and those of a model, best K first."""
    model = load_model(name)
    figures = model.card.figures_of("out_of_fold")[STIFFNESS.name]
    own = figures[f"{K}_mae"], figures[f"{G}_mae"]
    rows = sorted({**PUBLISHED, f"**{model.name}**": own}.items(), key=lambda row: row[1])
    cells = [[label, f"{k:.2f}", f"{g:.2f}"] for label, (k, g) in rows]
    return table(["model", "K, GPa", "G, GPa"], cells)


if __name__ == "__main__":
    print(board(*sys.argv[1:2]))
