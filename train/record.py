"""One crystal with its training targets, as it travels from a source to the database."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.models.training_crystals import reduced_formula
from ase_eqtensor.train.folds import fold_of, in_val

# The targets of each data set and their shapes; () is a number. Units: stiffness eV/Å^3 (Voigt,
# no factors), relative permittivities, piezoelectric stress constants C/m^2 (3 x Voigt), moduli
# GPa, formation energy eV/atom.
DATASETS: dict[str, dict[str, tuple[int, ...]]] = {
    "elastic": {"elasticity_tensor": (6, 6)},
    "dielectric": {"electronic_dielectric_tensor": (3, 3), "dielectric_tensor": (3, 3)},
    "piezoelectric": {"piezoelectric_tensor": (3, 6)},
    "moduli": {"k_vrh_gpa": (), "g_vrh_gpa": ()},
    "formation_energy": {"formation_energy": ()},
}
PARTIAL = ("dielectric",)  # its rows may have only one target; all others have all of theirs
TARGET_SHAPES = {name: shape for targets in DATASETS.values() for name, shape in targets.items()}

CRYSTAL_SYSTEMS = {2: "triclinic", 15: "monoclinic", 74: "orthorhombic", 142: "tetragonal",
                   167: "trigonal", 194: "hexagonal", 230: "cubic"}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A crystal and the targets of one data set, in the Cartesian frame of `atoms`.

    `atoms` holds positions, numbers, cell and pbc only. `targets` has the keys of
    `DATASETS[dataset]` (see `missing_targets`); curation adds K and G to a stiffness.
    `quarantine` is "" or the reason why training skips the row; a quarantined row is still scored
    when it falls in the test fold.
    `frame_deviation` is the relative part of the tensor that broke the point group before it was
    projected (largest of the row's tensors, 0 for scalars).
    """

    atoms: Atoms
    dataset: str
    source: str
    source_id: str
    targets: dict[str, np.ndarray | float]
    quarantine: str = ""
    frame_deviation: float = 0.0
    reduced_formula: str = ""

    def __post_init__(self):
        if not self.reduced_formula:
            object.__setattr__(self, "reduced_formula", reduced_formula(self.atoms))

    @property
    def fold(self) -> int:
        """The run (0..4) of which this crystal is a test crystal."""
        return fold_of(self.reduced_formula)

    @property
    def in_val(self) -> bool:
        """Whether the crystal is validated on in the other four runs."""
        return in_val(self.reduced_formula)

    @cached_property
    def crystal_system(self) -> str:
        """From the space group that the network's symmetry analysis finds."""
        number = analyse(self.atoms).space_group
        return next(name for last, name in CRYSTAL_SYSTEMS.items() if number <= last)


@dataclass(frozen=True)
class Rejection:
    """A row that cannot be used at all, or (action "quarantined") not trained on, and why."""

    dataset: str
    source_id: str
    formula: str
    reason: str
    action: str = "rejected"


def missing_targets(dataset: str, targets: Collection[str]) -> list[str]:
    """Names of the targets that a row of `dataset` with these targets still needs."""
    missing = [name for name in DATASETS[dataset] if name not in targets]
    enough = dataset in PARTIAL and len(missing) < len(DATASETS[dataset])
    return [] if enough else missing


def bare(atoms: Atoms) -> Atoms:
    """Positions, numbers and cell only, periodic in all directions."""
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
