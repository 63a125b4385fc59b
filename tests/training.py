"""A small made-up data set: rocksalt crystals whose tensors follow from the lattice constant."""

from pathlib import Path

import numpy as np
from ase.build import bulk
from networks import SMALL

from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.recipes.recipe import Recipe, parse_recipe
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.release import release
from ase_eqtensor.train.run import train

PAIRS = [a + b for a in ("Li", "Na", "K", "Rb", "Ag", "Cu") for b in ("F", "Cl", "Br", "I")]
PAIRS += [a + b for a in ("Mg", "Ca", "Sr", "Ba", "Cd", "Pb") for b in ("O", "S", "Se", "Te")]


def stiffness(size: float) -> np.ndarray:
    """Cubic stiffness in eV/Å^3 that softens with the lattice constant."""
    c = np.zeros((6, 6))
    c[:3, :3] = 0.3
    c[range(3), range(3)] = 1.2
    c[range(3, 6), range(3, 6)] = 0.6
    return c * (4.5 / size) ** 4


def records() -> list[Record]:
    """Elastic, dielectric, moduli and energy rows of 48 crystals, in all parts of all folds."""
    rows = []
    for i, formula in enumerate(PAIRS):
        size = 4.0 + 2.5 * i / len(PAIRS)
        atoms = bulk(formula, "rocksalt", a=size)
        eps = np.eye(3) * (1.5 + size / 4)
        targets = {
            "elastic": {"elasticity_tensor": stiffness(size)},
            "dielectric": {"electronic_dielectric_tensor": eps, "dielectric_tensor": 3 * eps},
            "moduli": {"k_vrh_gpa": 60.0, "g_vrh_gpa": 40.0},
            "taught": {"taught_stiffness": stiffness(size)},
            "formation_energy": {"formation_energy": -1.0 - size / 10},
        }
        names = list(targets)
        # not a set: its order, and with it a training run, would change with PYTHONHASHSEED
        for name in dict.fromkeys((names[i % 2], names[i % 5])):
            rows.append(Record(atoms, name, "test", f"{name}-{formula}", targets[name]))
    return rows


def small_recipe(**changes) -> Recipe:
    """A recipe that trains in seconds."""
    small = {
        "network": {**SMALL, "class_mode": "gate", "cutoff": 4.5},
        "loss": {"formation_energy": 0.1},
        "datasets": ["elastic", "dielectric", "moduli", "taught", "formation_energy"],
        "epochs": 6,
        "rest_epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.01,
        "ema_decay": 0.5,
    }
    return parse_recipe(small | changes)


def released(database: Path, folder: Path) -> Path:
    """The weights of a small model, `base`, of two networks that leave fold 0 and fold 1 out."""
    runs = [folder / f"fold{fold}" for fold in (0, 1)]
    for fold, run in enumerate(runs):
        train(database, small_recipe(fold=fold, epochs=1), run)
    return release("base", read_database(database), runs, folder)
