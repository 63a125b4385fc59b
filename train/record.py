"""One crystal with its training targets, as it travels from a source to the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms

from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.train.folds import fold_of, in_val

STRAINED = "@"  # in the name of a copy of a crystal, before the ratio of its volume


@dataclass(frozen=True)
class Record:
    """A crystal and the targets of one data set, in the Cartesian frame of `atoms`.

    `atoms` holds positions, numbers, cell and pbc only. `targets` has the columns of the data set
    (see train/targets/); curation adds K and G to a stiffness.
    `quarantine` is "" or the reason why training skips the row; a quarantined row is still scored
    when it falls in the test fold.
    `frame_deviation` is the relative part of the tensor that broke the point group before it was
    projected (largest of the row's tensors, 0 for scalars).
    """

    atoms: Atoms
    dataset: str
    source: str
    source_id: str
    targets: Mapping[str, np.ndarray | float]
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
    def at_rest(self) -> bool:
        """Whether it is a relaxed crystal, not a strained copy of one."""
        return STRAINED not in self.source_id

    @property
    def in_val(self) -> bool:
        """Whether the crystal is validated on in the other four runs."""
        return in_val(self.reduced_formula)

    def rejected(self, reason: str) -> "Rejection":
        """The rejection of this record."""
        return Rejection(self.dataset, self.source_id, self.reduced_formula, reason)

    @cached_property
    def crystal_system(self) -> str:
        """From the space group that the network's symmetry analysis finds."""
        return analyse(self.atoms).crystal_system


@dataclass(frozen=True)
class Rejection:
    """A row that cannot be used at all, or (action "quarantined") not trained on, and why."""

    dataset: str
    source_id: str
    formula: str
    reason: str
    action: str = "rejected"
