"""Partners of the default model that need no library: ASE's effective-medium potential with a card
by which it takes half of every logarithm."""

from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

from ase_eqtensor.models.charges import BornCharges
from ase_eqtensor.models.mixture import (
    BULK_GAP,
    IONIC_GAP,
    SHEAR_GAP,
    IonicMixture,
    StiffnessMixture,
)
from ase_eqtensor.models.partner_card import PartnerCard, write_partner
from ase_eqtensor.models.store import Model, load_model

EMT = "ase.calculators.emt:EMT"
IONS = "partners:Ions"
CHARGES = {3: 1, 9: -1, 11: 1, 12: 2, 8: -2, 17: -1}


def mixture(bulk: float = 0.5, shear: float = 0.5, parts: float = 0.5) -> StiffnessMixture:
    """Shares of the potential in ln K, ln G and the parts of degree 2 and 4."""
    mixing = {
        str(l): {"constant": np.hstack([(1 - parts) * np.eye(m), parts * np.eye(m)]).tolist()}
        for l, m in ((2, 2), (4, 1))
    }
    return StiffnessMixture(bulk={BULK_GAP: bulk}, shear={SHEAR_GAP: shear}, mixing=mixing)


def charges(members: int = 1, seed: int = 0) -> BornCharges:
    """Charges that nobody taught."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BornCharges(members).eval().requires_grad_(False)


def card(model: Model | None = None, calculator: str = EMT, **changes) -> PartnerCard:
    """The card of a partner; `changes` replace its fields."""
    model = model or load_model()
    content = {
        "model": model.name,
        "sha256": model.sha256,
        "calculator": calculator,
        "library": "ase",
        "level_of_theory": "made up",
        "reference_ev": None,
        "stiffness": mixture(),
        "ionic": IonicMixture(shift={IONIC_GAP: 0.5}),
        "charges": {name: values.tolist() for name, values in charges().state_dict().items()},
        "uncertainty": {},
        "calibration": {},
        "figures": {},
    }
    return PartnerCard(**content | changes)


def written(folder: Path, model: Model | None = None, **changes) -> str:
    """The path of a file with such a card."""
    path = folder / "partner.json"
    write_partner(card(model, **changes), path)
    return str(path)


class Ions(Calculator):
    """Ions that repel each other closely and attract by their charge, both cut off smoothly."""

    implemented_properties = ["energy", "forces", "stress"]
    cutoff = 6.0

    def calculate(self, atoms: Atoms | None = None, properties=(), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        first, second, distances, vectors = neighbor_list("ijdD", self.atoms, self.cutoff)
        charge = np.array([CHARGES[z] for z in self.atoms.numbers], dtype=float)
        r, product = distances, charge[first] * charge[second]
        window = (1 - (r / self.cutoff) ** 2) ** 3
        slope = -6 * r / self.cutoff**2 * (1 - (r / self.cutoff) ** 2) ** 2
        repulsion, attraction = 1500 * np.exp(-r / 0.3), 14 * product * np.exp(-r / 2) / r
        pair = repulsion + attraction
        steepness = -repulsion / 0.3 - attraction * (1 / r + 0.5)
        force = (steepness * window + pair * slope)[:, None] * vectors / r[:, None]
        forces = np.zeros_like(self.atoms.positions)
        np.add.at(forces, first, force)
        virial = np.einsum("pi,pj->ij", force, vectors) / 2
        stress = virial / self.atoms.get_volume()
        self.results = {
            "energy": float((pair * window).sum() / 2),
            "forces": forces,
            "stress": stress.flat[[0, 4, 8, 5, 2, 1]],
        }
