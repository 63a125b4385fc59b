"""How exactly a model keeps its symmetries, over all test crystals of its fold.

    python -m studies.invariances crystals.db [MODEL]

prints the median and largest relative deviation

- under random rotations and inversion (bare network: no cell reduction, no projection);
- of a non-diagonal supercell from the primitive cell (reduction and projection on);
- of slightly rattled crystals, between a symmetry search that finds their symmetry and one that
  does not, so that site-symmetry classes and point group change at once;
- when the volume changes by 2 %, as between relaxations with different functionals.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from ase import Atoms
from ase.build import make_supercell
from scipy.spatial.transform import Rotation

from ase_eqtensor.calculator import EqTensorCalculator
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.models.store import Model, held_out, load_model
from ase_eqtensor.prediction.prediction import Prediction
from ase_eqtensor.quantities import QUANTITIES, offered
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.folds import split
from studies.laws import strained

SUPERCELL = [[1, 1, 0], [-1, 1, 0], [0, 0, 2]]


def largest_deviation(
    before: Sequence[Prediction], after: Sequence[Prediction], rotations: np.ndarray
) -> np.ndarray:
    """Per crystal, the largest |T_after - R T_before| / |T_before| over its properties; (n,).

    `rotations` (n, 3, 3) are the orthogonal R of each crystal.
    """
    largest = []
    for tensors_before, tensors_after, rotation in zip(before, after, rotations):
        deviations = []
        for name, tensor in tensors_before.items():
            if name not in _never_zero():
                continue
            expected = QUANTITIES[name].rotate(tensor, rotation)
            norm = np.linalg.norm(expected)
            deviations.append(np.linalg.norm(tensors_after[name] - expected) / norm)
        largest.append(max(deviations))
    return np.array(largest)


def orthogonal_matrices(n: int, seed: int = 0) -> np.ndarray:
    """(n, 3, 3) random rotations, every second one times the inversion."""
    rotations = Rotation.random(n, rng=np.random.default_rng(seed)).as_matrix()
    return rotations * np.where(np.arange(n) % 2, -1, 1)[:, None, None]


def transformed(atoms: Atoms, matrix: np.ndarray) -> Atoms:
    """The crystal, with its cell, rotated by an orthogonal `matrix` (3, 3)."""
    out = atoms.copy()
    out.set_cell(atoms.cell @ matrix.T)
    out.positions = atoms.positions @ matrix.T
    return out


def equivariance(model: Model, crystals: Sequence[Atoms], dtype: str) -> np.ndarray:
    """Relative deviations (n,) of the bare network under random orthogonal matrices."""
    calculator = _calculator(model, dtype=dtype, project=False, reduce_cell=False)
    matrices = orthogonal_matrices(len(crystals))
    rotated_crystals = [transformed(a, m) for a, m in zip(crystals, matrices)]
    before, after = calculator.predict(crystals), calculator.predict(rotated_crystals)
    return largest_deviation(before, after, matrices)


def supercells(model: Model, crystals: Sequence[Atoms]) -> np.ndarray:
    """Relative deviations (n,) of a supercell from its primitive cell, reduction on."""
    calculator = _calculator(model)
    enlarged = [make_supercell(atoms, SUPERCELL) for atoms in crystals]
    before, after = calculator.predict(crystals), calculator.predict(enlarged)
    return largest_deviation(before, after, _identities(crystals))


def jumps(model: Model, crystals: Sequence[Atoms], amplitude: float) -> np.ndarray:
    """Relative changes (n,) of a rattled crystal's prediction when its symmetry is lost.

    Every atom moves at random by `amplitude` Å (rms, per axis). The same coordinates are predicted
    with a symprec that finds the perfect crystal's symmetry and with one that finds none; crystals
    in which the former finds none either are left out.
    """
    rattled = [atoms.copy() for atoms in crystals]
    for atoms in rattled:
        atoms.rattle(amplitude, seed=0)
    groups = [analyse(atoms, 10 * amplitude).space_group for atoms in rattled]
    rattled = [atoms for atoms, group in zip(rattled, groups) if group > 1]
    symmetric = _calculator(model, symprec=10 * amplitude).predict(rattled)
    asymmetric = _calculator(model, symprec=amplitude / 1000).predict(rattled)
    return largest_deviation(symmetric, asymmetric, _identities(rattled))


def volume_changes(
    model: Model, crystals: Sequence[Atoms], fraction: float
) -> dict[str, np.ndarray]:
    """Property -> relative changes (n,) of the tensors when the volume changes by `fraction`."""
    scaled = [strained(atoms, 1 + fraction) for atoms in crystals]
    calculator = _calculator(model)
    pairs = list(zip(calculator.predict(crystals), calculator.predict(scaled)))
    return {
        name: np.array(
            [np.linalg.norm(b[name] - a[name]) / np.linalg.norm(a[name]) for a, b in pairs]
        )
        for name in _never_zero()
    }


def _never_zero() -> list[str]:
    """The tensors that no symmetry forbids, and to whose size a deviation may be compared."""
    return [name for name, quantity in offered().items() if not quantity.form.odd]


def _identities(crystals: Sequence[Atoms]) -> np.ndarray:
    return np.broadcast_to(np.eye(3), (len(crystals), 3, 3))


def _calculator(model: Model, **settings) -> EqTensorCalculator:
    return EqTensorCalculator(model, allow_untrained_elements=True, **settings)


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    model_name: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Shipped model or .safetensors file.")
    ] = None,
) -> None:
    """Print how exactly a model keeps its symmetries, over the test crystals of its fold."""
    model = load_model(model_name)
    records = read_database(database, ["elastic", "dielectric"])
    crystals = [r.atoms for r in split(records, held_out(model).folds[0]).test]
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
    typer.run(main)
