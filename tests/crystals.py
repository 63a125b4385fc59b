"""Crystals that the tests share: well-known structures, and one for every point group."""

import numpy as np
import spglib
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal
from scipy.spatial.transform import Rotation


def rutile() -> Atoms:
    return crystal(["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
                   cellpar=[4.59, 4.59, 2.96, 90, 90, 90])  # fmt: skip


def quartz() -> Atoms:
    return crystal(["Si", "O"], [(0.47, 0, 2 / 3), (0.413, 0.267, 0.786)], spacegroup=154,
                   cellpar=[4.91, 4.91, 5.40, 90, 90, 120])  # fmt: skip


def perovskite() -> Atoms:
    return Atoms("SrTiO3", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0),
                 (0.5, 0, 0.5), (0, 0.5, 0.5)], cell=[3.9] * 3, pbc=True)  # fmt: skip


def zirconia() -> Atoms:
    """Monoclinic baddeleyite."""
    return crystal(["Zr", "O", "O"],
                   [(0.2754, 0.0395, 0.2083), (0.07, 0.3317, 0.3447), (0.4496, 0.7569, 0.4792)],
                   spacegroup=14, cellpar=[5.15, 5.21, 5.32, 90, 99.2, 90])  # fmt: skip


def triclinic() -> Atoms:
    return crystal(["Ti", "O", "S"], [(0.1, 0.13, 0.08), (0.45, 0.21, 0.4), (0.2, 0.62, 0.71)],
                   spacegroup=1, cellpar=[4.4, 4.9, 5.3, 82, 97, 106])  # fmt: skip


CRYSTALS = {
    "rocksalt": bulk("MgO", "rocksalt", a=4.21),
    "silicon": bulk("Si"),
    "wurtzite": bulk("ZnO", "wurtzite", a=3.25, c=5.21, u=0.382),
    "rutile": rutile(),
    "quartz": quartz(),
    "perovskite": perovskite(),
    "monoclinic": zirconia(),
    "triclinic": triclinic(),
}
NON_DIAGONAL = np.array([[1, 1, 0], [0, 2, 1], [1, 0, 2]])  # supercell of 5 cells

# The first setting of the first space group of each of the 32 point groups.
_TYPES = [spglib.get_spacegroup_type(hall) for hall in range(1, 531)]
POINT_GROUPS = {t.pointgroup_international: t.hall_number for t in reversed(_TYPES)}


def crystal_of_point_group(symbol: str, seed: int = 0) -> tuple[Atoms, np.ndarray]:
    """A randomly turned crystal of a point group, and the group's Cartesian matrices (G, 3, 3).

    One species sits in a general position and so fixes the group, another at the origin.
    """
    rng = np.random.default_rng(seed)
    operations = spglib.get_symmetry_from_database(POINT_GROUPS[symbol])
    rotations, translations = operations["rotations"], operations["translations"]
    metric = np.diag([1.0, 1.3, 1.7]) + rng.uniform(-0.1, 0.1, (3, 3))
    metric = np.mean([w.T @ (metric + metric.T) @ w for w in rotations], axis=0)
    cell = np.linalg.cholesky(metric) @ Rotation.random(rng=rng).as_matrix()
    cell *= (12 * len(rotations) / abs(np.linalg.det(cell))) ** (1 / 3)
    while True:
        scaled = rotations @ rng.random(3) + translations
        scaled = np.concatenate([scaled, np.unique(np.round(translations % 1, 9), axis=0)])
        numbers = [14] * len(rotations) + [8] * (len(scaled) - len(rotations))
        atoms = Atoms(numbers, scaled_positions=scaled, cell=cell, pbc=True)
        distance = atoms.get_all_distances(mic=True)
        if (distance + 9 * np.eye(len(atoms))).min() > 0.8:
            basis = cell.T
            return atoms, basis @ np.unique(rotations, axis=0) @ np.linalg.inv(basis)
