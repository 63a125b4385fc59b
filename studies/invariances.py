"""How exactly a model keeps its symmetries, over all test crystals of its fold.

    python -m studies.invariances crystals.db [MODEL]

prints the largest relative deviation under random rotations and inversion (bare network: no cell
reduction, no projection), between a non-diagonal supercell and the primitive cell (both on), and
the jump of the prediction of slightly rattled atoms where the symmetry search ceases to find the
crystal's symmetry, so that site-symmetry classes and point group change at once. Last, how much the
tensors change with the volume by 2 %, as they would for a crystal that was relaxed otherwise.
"""

import sys
import warnings
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from scipy.spatial.transform import Rotation

from ase_eqtensor.calculator import EqTensorCalculator
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.models.store import Model, load_model
from ase_eqtensor.prediction.predictor import Prediction
from ase_eqtensor.properties import PROPERTIES
from ase_eqtensor.tensors.notation import (
    compliance_mandel_to_voigt,
    compliance_voigt_to_mandel,
    mandel_rotation,
    mandel_to_voigt,
    rotate_rank2,
    voigt_to_mandel,
)
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.folds import split

SUPERCELL = [[1, 1, 0], [-1, 1, 0], [0, 0, 2]]
_FORMS = {
    "elasticity_tensor": (voigt_to_mandel, mandel_to_voigt),
    "compliance_tensor": (compliance_voigt_to_mandel, compliance_mandel_to_voigt),
}


def rotated(name: str, tensor: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """A property's array (Voigt or (3, 3)) of the crystal rotated by the orthogonal `rotation`."""
    if name not in _FORMS:
        return rotate_rank2(tensor, rotation)
    to_mandel, from_mandel = _FORMS[name]
    return from_mandel(rotate_rank2(to_mandel(tensor), mandel_rotation(rotation)))


def largest_deviation(
    first: Sequence[Prediction], second: Sequence[Prediction], rotations: np.ndarray
) -> np.ndarray:
    """Per crystal, the largest |T2 - R T1| / |T1| over its properties; (n,)."""
    out = []
    for one, two, rotation in zip(first, second, rotations):
        differences = []
        for name, tensor in one.items():
            expected = rotated(name, tensor, rotation)
            norm = np.linalg.norm(expected)
            differences.append(np.linalg.norm(two[name] - expected) / norm)
        out.append(max(differences))
    return np.array(out)


def orthogonal_matrices(n: int, seed: int = 0) -> np.ndarray:
    """(n, 3, 3) random rotations, every second one times the inversion."""
    rotations = Rotation.random(n, rng=np.random.default_rng(seed)).as_matrix()
    return rotations * np.where(np.arange(n) % 2, -1, 1)[:, None, None]


def transformed(atoms: Atoms, matrix: np.ndarray) -> Atoms:
    """The crystal turned by an orthogonal matrix, its cell with it."""
    out = atoms.copy()
    out.set_cell(atoms.cell @ matrix.T)
    out.positions = atoms.positions @ matrix.T
    return out


def equivariance(model: Model, crystals: Sequence[Atoms], dtype: str) -> np.ndarray:
    """Relative deviations (n,) of the bare network under random orthogonal matrices."""
    calculator = _calculator(model, dtype=dtype, project=False, reduce_cell=False)
    matrices = orthogonal_matrices(len(crystals))
    turned = [transformed(a, m) for a, m in zip(crystals, matrices)]
    return largest_deviation(calculator.predict(crystals), calculator.predict(turned), matrices)


def supercells(model: Model, crystals: Sequence[Atoms]) -> np.ndarray:
    """Relative deviations (n,) of a supercell from its primitive cell, reduction on."""
    calculator = _calculator(model)
    enlarged = [make_supercell(atoms, SUPERCELL) for atoms in crystals]
    first, second = calculator.predict(crystals), calculator.predict(enlarged)
    return largest_deviation(first, second, _identities(crystals))


def jumps(model: Model, crystals: Sequence[Atoms], amplitude: float) -> np.ndarray:
    """Relative changes (n,) of a rattled crystal's prediction when its symmetry is lost.

    Every atom moves at random by `amplitude` Å (rms, per axis). The same coordinates are predicted
    with a symprec that still sees the perfect crystal's symmetry and with one that sees none;
    crystals in which the former sees none either are left out.
    """
    rattled = [atoms.copy() for atoms in crystals]
    for atoms in rattled:
        atoms.rattle(amplitude, seed=0)
    groups = [analyse(atoms, 10 * amplitude).space_group for atoms in rattled]
    rattled = [atoms for atoms, group in zip(rattled, groups) if group > 1]
    found = _calculator(model, symprec=10 * amplitude).predict(rattled)
    lost = _calculator(model, symprec=amplitude / 1000).predict(rattled)
    return largest_deviation(found, lost, _identities(rattled))


def volume_changes(
    model: Model, crystals: Sequence[Atoms], fraction: float
) -> dict[str, np.ndarray]:
    """Property -> relative changes (n,) of the tensors when the volume changes by `fraction`."""
    scaled = []
    for atoms in crystals:
        atoms = atoms.copy()
        atoms.set_cell(atoms.cell[:] * (1 + fraction) ** (1 / 3), scale_atoms=True)
        scaled.append(atoms)
    calculator = _calculator(model)
    pairs = list(zip(calculator.predict(crystals), calculator.predict(scaled)))
    return {
        name: np.array(
            [np.linalg.norm(b[name] - a[name]) / np.linalg.norm(a[name]) for a, b in pairs]
        )
        for name in PROPERTIES
    }


def _identities(crystals: Sequence[Atoms]) -> np.ndarray:
    return np.broadcast_to(np.eye(3), (len(crystals), 3, 3))


def _calculator(model: Model, **settings) -> EqTensorCalculator:
    return EqTensorCalculator(model, allow_untrained_elements=True, **settings)


def main(database: str, name: str | None = None) -> None:
    """Print the table for the test crystals of the model's fold."""
    model = load_model(name)
    records = read_database(database, ["elastic", "dielectric"])
    crystals = [r.atoms for r in split(records, model.folds[0]).test]
    warnings.simplefilter("ignore")
    print(f"{model.name}: {len(crystals)} test crystals, relative deviations")
    for dtype in ("float32", "float64"):
        _line(f"rotations and inversion, {dtype}", equivariance(model, crystals, dtype))
    _line("supercell against primitive", supercells(model, crystals))
    for amplitude in (1e-4, 1e-3, 1e-2):
        _line(f"symmetry lost at {amplitude:g} Å rattle", jumps(model, crystals, amplitude))
    for fraction in (-0.02, 0.02):
        for name, values in volume_changes(model, crystals, fraction).items():
            _line(f"volume {fraction:+.0%}, {name}", values)


def _line(label: str, values: np.ndarray) -> None:
    print(f"{label:42s} median {np.median(values):.1e}   largest {values.max():.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
