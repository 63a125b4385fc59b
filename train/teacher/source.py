"""Binary compounds with K and G from first principles and directions from a potential's labels."""

from collections.abc import Iterator
from math import log
from pathlib import Path

import numpy as np
import torch

from ase_eqtensor.errors import DataError
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, voigt_to_mandel
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.data.sources.moduli import ModuliSource
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets.stiffness import MODULI, TAUGHT, TAUGHT_COLUMN, G, K
from ase_eqtensor.train.teacher.labels import Label, read_labels
from ase_eqtensor.train.teacher.taught import taught_stiffness

# A potential that is further off in K or G than this has another crystal in mind, and so other
# directions: ln(potential / first principles). Of G it is too soft by a third in the median.
K_RANGE = (-0.3, 0.3)
G_RANGE = (-1.2, 0.3)


class LabelsSource(Source):
    """Rows of `taught`: crystals of a table of moduli with a label of `eqtensor data label`."""

    name = "teacher"

    def __init__(self, labels: Path, moduli: ModuliSource):
        self.moduli = moduli
        self.labels = {
            label.id: label
            for label in read_labels(labels)
            if label.dataset == MODULI.name and label.volume_ratio == 1
        }

    def records(self) -> Iterator[Record | Rejection]:
        """Yield the rows; a label that cannot be used is a `Rejection` with the reason."""
        for row in self.moduli.records():
            if isinstance(row, Rejection) or row.source_id not in self.labels:
                continue
            label, k, g = self.labels[row.source_id], float(row.targets[K]), float(row.targets[G])
            reason = _unusable(label, k, g)
            if not reason:
                try:
                    stiffness = taught_stiffness(np.array(label.stiffness_gpa), k, g)
                    targets = {TAUGHT_COLUMN: stiffness}
                    yield Record(row.atoms, TAUGHT.name, self.name, row.source_id, targets)
                    continue
                except DataError as error:
                    reason = str(error)
            yield Rejection(TAUGHT.name, row.source_id, label.formula, reason)


def _unusable(label: Label, k: float, g: float) -> str:
    """Why a label teaches no directions; "" if it does."""
    if not label.converged:
        return "the potential's relaxation did not converge"
    if not label.stable:
        return f"unstable in the potential: {label.least_eigenvalue_gpa:.2f} GPa"
    if min(k, g) <= 0:
        return f"modulus not positive: K = {k:.2f} GPa, G = {g:.2f} GPa"
    mandel = torch.from_numpy(voigt_to_mandel(np.array(label.stiffness_gpa)))
    averages = [float(average) for average in hill_average(mandel * GPA)]
    for name, own, true, (low, high) in zip("KG", averages, (k, g), (K_RANGE, G_RANGE)):
        if not low < log(own / GPA / true) < high:
            return f"the potential disagrees: its {name} is {own / GPA:.1f} GPa, not {true:.1f}"
    return ""
