"""Was this crystal in the training data? By formula, by structure, and with its tensor."""

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from equivariance import MOVES, permuted, turned
from networks import card, tiny_network

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.errors import ModelError
from ase_eqtensor.models.card import Member
from ase_eqtensor.models.store import load_model, save_model
from ase_eqtensor.models.training_crystals import (
    TrainingCrystal,
    find,
    load_crystals,
    save_crystals,
)
from ase_eqtensor.tensors.notation import project_stiffness, rotate_rank2, rotate_stiffness

WURTZITE = bulk("ZnS", "wurtzite", a=3.8, c=6.2)
BLENDE = bulk("ZnS", "zincblende", a=5.4)


def triclinic() -> np.ndarray:
    """A stiffness without zeros or equal entries."""
    a = np.random.default_rng(0).normal(size=(6, 6))
    return a @ a.T + 6 * np.eye(6)


EPS = np.diag([5.0, 5.0, 7.0])
HEXAGONAL = project_stiffness(triclinic(), analyse(WURTZITE).rotations)
CRYSTALS = [
    TrainingCrystal("a", "elastic", "ZnS", 0, WURTZITE, {"elasticity_tensor": HEXAGONAL}),
    TrainingCrystal("b", "dielectric", "ZnS", 0, WURTZITE, {"dielectric_tensor": EPS}),
    TrainingCrystal("c", "elastic", "ZnS", 0, BLENDE, {"elasticity_tensor": triclinic()}),
    TrainingCrystal("d", "moduli", "ZnS", 0),
    TrainingCrystal("e", "elastic", "MgO", 3, bulk("MgO", "rocksalt", a=4.2)),
]


@pytest.fixture
def path(tmp_path):
    save_crystals(tmp_path / "x.crystals.npz", CRYSTALS)
    return tmp_path / "x.crystals.npz"


def test_file_round_trip(path):
    for old, new in zip(CRYSTALS, load_crystals(path), strict=True):
        identity = ("source_id", "dataset", "formula", "fold", "same_structure")
        assert all(getattr(old, name) == getattr(new, name) for name in identity)
        assert (old.atoms is None) == (new.atoms is None)
        if old.atoms is not None:
            assert (old.atoms.numbers == new.atoms.numbers).all() and new.atoms.pbc.all()
            np.testing.assert_allclose(old.atoms.positions, new.atoms.positions, atol=1e-6)
            np.testing.assert_allclose(old.atoms.cell[:], new.atoms.cell[:], atol=1e-6)
        assert old.tensors.keys() == new.tensors.keys()
        for name, tensor in old.tensors.items():
            np.testing.assert_allclose(new.tensors[name], tensor, rtol=1e-6)


def test_formula_and_structure_are_told_apart():
    found = find(WURTZITE, CRYSTALS)
    told = [(crystal.source_id, crystal.same_structure) for crystal in found]
    assert told == [("a", True), ("b", True), ("d", None), ("c", False)]
    assert found[2].atoms is None and found[2].tensors == {}
    assert find(bulk("NaCl", "rocksalt", a=5.6), CRYSTALS) == []


@pytest.mark.parametrize("move", MOVES)
def test_tensors_come_in_the_frame_of_the_crystal_that_is_asked_for(move):
    q = MOVES[move]
    supercell = make_supercell(WURTZITE, [[1, 1, 0], [0, 1, 0], [0, 0, 2]])
    supercell.set_cell(supercell.cell[:] * 1.02, scale_atoms=True)  # another lattice constant
    elastic, dielectric = find(permuted(turned(supercell, q)), CRYSTALS)[:2]
    expected = rotate_rank2(EPS, q)
    np.testing.assert_allclose(dielectric.tensors["dielectric_tensor"], expected, atol=1e-6)
    expected = rotate_stiffness(HEXAGONAL, q)
    np.testing.assert_allclose(elastic.tensors["elasticity_tensor"], expected, atol=1e-6)


def test_another_structure_keeps_its_own_frame():
    other = next(
        c for c in find(turned(WURTZITE, MOVES["rotation"]), CRYSTALS) if c.atoms == BLENDE
    )
    np.testing.assert_array_equal(other.tensors["elasticity_tensor"], triclinic())


@pytest.fixture
def calculator(tmp_path):
    """One member, which left out fold 0."""
    save_model(tiny_network(), card(), tmp_path / "own", CRYSTALS)
    return EqTensorCalculator(tmp_path / "own.safetensors")


def test_a_network_has_not_seen_the_fold_that_it_left_out(calculator):
    assert calculator.seen(WURTZITE) == []
    assert [c.source_id for c in calculator.seen(bulk("MgO", "rocksalt", a=4.3))] == ["e"]


def test_an_ensemble_has_seen_what_any_member_has(tmp_path):
    members = [Member(fold=fold, seed=0) for fold in (0, 1)]
    network = tiny_network(members=2)
    save_model(network, card(members=members), tmp_path / "two", CRYSTALS)
    assert len(load_model(tmp_path / "two.safetensors").seen(WURTZITE)) == 4


def test_seen_of_the_last_calculation(calculator):
    atoms = bulk("MgO", "rocksalt", a=4.2)
    calculator.get_property("elasticity_tensor", atoms)
    assert calculator.seen()[0].same_structure


def test_missing_list(calculator, tmp_path):
    (tmp_path / "own.crystals.npz").unlink()
    with pytest.raises(ModelError, match="own.crystals.npz"):
        EqTensorCalculator(tmp_path / "own.safetensors").seen(WURTZITE)
