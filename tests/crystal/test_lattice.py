"""Nothing depends on which vectors span a lattice: not the empty layers, not time or memory."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, mx2
from crystals import CRYSTALS

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.crystal.lattice import compact, planes_wider_than, reduced_cell
from ase_eqtensor.crystal.validation import check_structure, structure_warnings, widest_gap
from ase_eqtensor.errors import StructureError

LAYER = mx2("MoS2", vacuum=9.0)
LAYER.pbc = True
STEP = fcc111("Al", (1, 2, 3), vacuum=5.0, orthogonal=True)
STEP.pbc = True
GAPS = {
    "layer": (LAYER, 18.0),
    "slab": (STEP, 10.0),
    "fcc": (bulk("Cu", a=3.6), 3.6 / 3**0.5),
    "bcc": (bulk("Fe", a=2.8), 2.8 / 2**0.5),
    "rocksalt": (bulk("MgO", "rocksalt", a=4.2), 2.1),
    "diamond": (bulk("Si", a=5.4), 5.4 * 3**0.5 / 4),
    "atom": (Atoms("Ar", cell=[8, 9, 10], pbc=True), 10.0),
    "chain": (Atoms("C2", [[0, 0, 0], [0, 0, 1.4]], cell=[12, 12, 2.8], pbc=True), 12.0),
}


def unimodular(rng: np.random.Generator, steps: int = 6) -> np.ndarray:
    """A random integer matrix (3, 3) of determinant 1 or -1."""
    matrix = np.eye(3, dtype=int)[rng.permutation(3)]
    for _ in range(steps):
        i, j = rng.choice(3, 2, replace=False)
        matrix[i] += rng.integers(-2, 3) * matrix[j]
    return matrix


def with_cell_vectors(atoms: Atoms, change: np.ndarray) -> Atoms:
    """The same crystal in the cell `change` @ cell, its atoms in any of the periodic images."""
    other = atoms.copy()
    other.set_cell(change @ atoms.cell[:], scale_atoms=False)
    return other


@pytest.mark.parametrize("name", GAPS)
def test_the_widest_gap_is_one_of_the_crystal(name):
    atoms, expected = GAPS[name]
    assert widest_gap(atoms) == pytest.approx(expected, abs=1e-6)
    flags = [warning.flag for warning in structure_warnings(atoms)]
    rng = np.random.default_rng(0)
    for _ in range(40):
        other = with_cell_vectors(atoms, unimodular(rng))
        other.positions += rng.integers(-2, 3, (len(atoms), 3)) @ atoms.cell[:]
        other = other[rng.permutation(len(other))]
        check_structure(other)
        assert widest_gap(other) == pytest.approx(expected, abs=1e-6)
        assert [warning.flag for warning in structure_warnings(other)] == flags
    assert widest_gap(atoms * (2, 1, 3)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", CRYSTALS)
def test_no_plane_is_left_out(name):
    """The gap is that of a search over many more planes than any cell vectors suggest."""
    atoms = CRYSTALS[name]
    planes = planes_wider_than(reduced_cell(atoms.cell), 0.5)
    heights = np.sort(atoms.positions @ planes.T % 1.0, axis=0)
    gaps = np.diff(heights, axis=0, append=heights[:1] + 1).max(0) / np.linalg.norm(planes, axis=1)
    assert widest_gap(atoms) == pytest.approx(max(gaps.max(), 1.0), abs=1e-9)


@pytest.mark.parametrize("name", CRYSTALS)
def test_reduced_cells_span_the_same_lattice(name):
    cell = CRYSTALS[name].cell[:]
    rng = np.random.default_rng(0)
    for _ in range(10):
        skewed = unimodular(rng) @ cell
        reduced = reduced_cell(skewed)
        change = reduced @ np.linalg.inv(cell)
        np.testing.assert_allclose(change, np.rint(change), atol=1e-8)
        assert np.linalg.det(reduced) == pytest.approx(np.linalg.det(skewed))
        assert np.linalg.norm(reduced, axis=1).max() <= np.linalg.norm(cell, axis=1).max() + 1e-9


def skewed(atoms: Atoms, k: int) -> Atoms:
    return with_cell_vectors(atoms, np.array([[1, 3 * k, 5], [0, 1, 2 * k], [0, 0, 1]]))


@pytest.mark.parametrize("k", [10, 100, 300])
@pytest.mark.parametrize("name", ["rocksalt", "quartz"])
@pytest.mark.parametrize("reduce_cell", [True, False])
def test_skewed_cells_are_predicted_as_the_crystal(model, name, k, reduce_cell):
    atoms = CRYSTALS[name]
    calc = EqTensorCalculator(model, reduce_cell=reduce_cell, dtype="float64")
    first, second = calc.predict([atoms, skewed(atoms, k)])
    for quantity, value in first.tensors.items():
        np.testing.assert_allclose(second.tensors[quantity], value, rtol=1e-6, atol=1e-8)
    assert first.flags == second.flags


def test_a_skewed_cell_keeps_its_atoms():
    atoms = skewed(CRYSTALS["quartz"], 50)
    before = atoms.copy()
    reduced = compact(atoms)
    assert atoms == before and compact(CRYSTALS["quartz"]) is CRYSTALS["quartz"]
    np.testing.assert_array_equal(reduced.positions, atoms.positions)
    assert reduced.get_volume() == pytest.approx(CRYSTALS["quartz"].get_volume())


def test_a_cell_beyond_all_digits_is_refused_by_name():
    with pytest.raises(StructureError, match="MgO: .*skewed.*niggli"):
        check_structure(skewed(bulk("MgO", "rocksalt", a=4.2), 10**7))
