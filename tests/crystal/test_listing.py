"""The same atoms listed in another order, or wrapped into other cells, are the same crystal."""

import numpy as np
import pytest
from crystals import CRYSTALS
from hypothesis import given, settings
from hypothesis import strategies as st

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.crystal.symmetry import DEFAULT_SYMPREC, SITE_CLASSES, analyse

NAMES = ("rocksalt", "silicon", "wurtzite", "rutile", "perovskite")


@pytest.fixture(scope="module")
def calculator():
    return EqTensorCalculator("joint-v2-small", allow_untrained_elements=True)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(NAMES),
    noise=st.floats(0, 2 * DEFAULT_SYMPREC),
    repeat=st.sampled_from([(1, 1, 1), (2, 1, 1), (2, 2, 1)]),
    seed=st.integers(0, 10_000),
)
def test_symmetry_does_not_depend_on_the_listing(name, noise, repeat, seed):
    rng = np.random.default_rng(seed)
    atoms = CRYSTALS[name].repeat(repeat)
    atoms.positions += rng.normal(0, noise / 3, atoms.positions.shape)
    order = rng.permutation(len(atoms))
    listed = atoms[order]
    listed.positions += rng.integers(-2, 3, listed.positions.shape) @ listed.cell[:]
    a, b = analyse(atoms), analyse(listed)
    assert (a.space_group, a.point_group) == (b.space_group, b.point_group)
    np.testing.assert_allclose(a.rotations, b.rotations, atol=1e-12)
    np.testing.assert_allclose(a.polar, b.polar, atol=1e-12)
    np.testing.assert_allclose(a.primitive_cell, b.primitive_cell, atol=1e-10)
    assert sorted(order[b.primitive_index]) == a.primitive_index.tolist()
    np.testing.assert_array_equal(a.site_class[order], b.site_class)
    assert set(np.array(SITE_CLASSES)[a.site_class]) <= set(SITE_CLASSES)
    # orbits are the same sets of atoms, and named by their smallest index
    for symmetry in (a, b):
        assert (symmetry.orbit <= np.arange(len(atoms))).all()
    same = a.orbit[order][:, None] == a.orbit[order]
    np.testing.assert_array_equal(same, b.orbit[:, None] == b.orbit)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(noise=st.floats(0, 2 * DEFAULT_SYMPREC), seed=st.integers(0, 10_000))
def test_tensors_do_not_depend_on_the_listing(calculator, noise, seed):
    rng = np.random.default_rng(seed)
    atoms = CRYSTALS["perovskite"].repeat(2)
    atoms.positions += rng.normal(0, noise / 3, atoms.positions.shape)
    listed = atoms[rng.permutation(len(atoms))]
    first, second = calculator.predict([atoms, listed])
    for name, tensor in first.tensors.items():
        difference = np.linalg.norm(second.tensors[name] - tensor) / np.linalg.norm(tensor)
        assert difference < 1e-5
