"""K and G out of fold beside what benchmarks of potentials have published, on the same crystals:
python benchmarks/lambench.py [MODEL] and python benchmarks/matcalc_binaries.py [MODEL]

Potentials relax a crystal and strain it, and have never seen an elastic tensor; a model of this
package has seen those of the other folds. So this says what a user gets, not which network learns
better. Figures of a model are in its card, measured when it was released; `eqtensor evaluate MODEL
-d crystals.db` measures them again.
"""

from dataclasses import dataclass

from ase_eqtensor import load_model
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.card import table
from ase_eqtensor.train.targets.stiffness import ELASTIC, MODULI, TAUGHT, G, K

# Potentials learn energies, forces and stresses of:
OAM, OPENLAM = "OMat24, sAlex, MPtrj", "OpenLAM, several levels of theory"
OWN = {  # data set of the card -> what it is
    ELASTIC.name: "stiffnesses",
    MODULI.name: "pairs of K and G",
    TAUGHT.name: "labels of a potential",
}


@dataclass(frozen=True)
class Board:
    """Published mean absolute errors of Voigt-Reuss-Hill averages.

    title: of the table. target: of the model's figures. source: of the published ones, and how
    crystals compare. rows: model -> (K, G) in GPa, and what it was trained on.
    """

    title: str
    target: str
    source: str
    rows: dict[str, tuple[float, float, str]]


LAMBENCH = Board(
    "LAMBench, task elastic",
    STIFFNESS.name,
    "A. Peng et al., arXiv:2504.19578, as of April 2026; the same 1,181 crystals.",
    {
        "GRACE-2L-OAM": (7.46, 9.14, OAM),
        "DPA-3.2-5M": (8.61, 9.94, OPENLAM),
        "DPA-3.1-3M": (8.68, 9.83, OPENLAM),
        "SevenNet-MF-ompa": (10.26, 9.87, OAM),
        "MACE-MH-1": (
            11.94,
            11.33,
            "OMat24, MPtrj, molecules, surfaces",
        ),
        "Orb-v3-omat": (12.22, 9.12, "OMat24"),
        "MatterSim-v1-5M": (14.95, 12.75, "17 million of its own"),
        "MACE-MPA-0": (15.03, 10.27, "MPtrj, sAlex"),
    },
)

MATCALC = Board(
    "MatCalc, elasticity of binary compounds",
    MODULI.name,
    "A. D. Kaplan et al., arXiv:2503.04070, as on matpes.ai, which counts 3,959 crystals; "
    "MatCalc's file mp-binary-pbe-elasticity-2025.1 holds 3,421, those of the row in bold.",
    {
        "TensorNet, OMat24": (15.61, 15.50, "OMat24, 100,824,585 structures"),
        "CHGNet, MPtrj": (17.45, 29.59, "MPtrj, 1,580,395 structures"),
        "TensorNet, MatPES": (18.02, 14.82, "MatPES-PBE, 434,712 structures"),
        "M3GNet, MPF": (21.36, 40.97, "MPF, 185,877 structures"),
        "CHGNet, MatPES": (23.73, 20.61, "MatPES-PBE, 434,712 structures"),
        "TensorNet, MPF": (24.42, 36.01, "MPF, 185,877 structures"),
        "M3GNet, MatPES": (26.11, 25.30, "MatPES-PBE, 434,712 structures"),
    },
)


def rows_of(board: Board, name: str | None = None) -> str:
    """Markdown table of the published figures and those of a model, best K first."""
    card = load_model(name).card
    figures, data = card.figures_of("out_of_fold")[board.target], card.members[0].data
    learnt = [f"{sum(data[name].values()):,} {what}" for name, what in OWN.items() if name in data]
    told = f"{', '.join(learnt)}; each crystal by networks that never saw its fold"
    own = figures[f"{K}_mae"], figures[f"{G}_mae"], told
    rows = sorted({**board.rows, f"**{card.name}**": own}.items(), key=lambda row: row[1][0])
    cells = [[label, f"{k:.2f}", f"{g:.2f}", data] for label, (k, g, data) in rows]
    return table(["model", "K, GPa", "G, GPa", "trained on"], cells)


def table_of(board: Board, name: str | None = None) -> str:
    """The same below a title that says what is compared."""
    figures = load_model(name).card.figures_of("out_of_fold")[board.target]
    title = (
        f"Mean absolute errors of {board.title}, {figures['crystals']:,} crystals. {board.source}"
    )
    return f"{title}\n\n{rows_of(board, name)}"
