"""What models are trained on, one module for each quantity: values, loss, score, curation.

To train a new quantity: write its `DataSet` with a `Target` in a module of its own and list it in
`DATASETS`.
"""

from ase_eqtensor.train.targets.base import DataSet, Target, TensorTarget
from ase_eqtensor.train.targets.formation_energy import FORMATION_ENERGIES
from ase_eqtensor.train.targets.permittivity import DIELECTRIC
from ase_eqtensor.train.targets.piezoelectric import PIEZOELECTRIC_DATA
from ase_eqtensor.train.targets.stiffness import ELASTIC, MODULI, TAUGHT

__all__ = ["DATASETS", "DataSet", "Target", "TensorTarget", "columns", "targets"]

# name -> data set; a crystal with columns of several gives one row of each
DATASETS: dict[str, DataSet] = {
    dataset.name: dataset
    for dataset in (ELASTIC, DIELECTRIC, PIEZOELECTRIC_DATA, MODULI, TAUGHT, FORMATION_ENERGIES)
}


def columns() -> dict[str, tuple[int, ...]]:
    """Every column of every data set -> its shape; () is a number."""
    return {name: shape for d in DATASETS.values() for name, shape in d.columns.items()}


def targets() -> dict[str, Target]:
    """Everything that can be trained on, by name."""
    return {target.name: target for d in DATASETS.values() for target in d.targets}
