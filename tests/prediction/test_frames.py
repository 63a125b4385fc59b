"""Results belong to the crystal, in the frame of the given atoms, and not to the chosen cell."""

import numpy as np
import pytest
from ase.build import bulk, make_supercell
from crystals import CRYSTALS, NON_DIAGONAL
from equivariance import MOVES, permuted, properties, relative, rotate_property, turned
from pymatgen.io.ase import AseAtomsAdaptor

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.errors import StructureError
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.quantities import offered

every_crystal = pytest.mark.parametrize("name", CRYSTALS)


@every_crystal
@pytest.mark.parametrize("move", MOVES)
def test_results_turn_with_the_crystal(calc, name, move):
    atoms, q = CRYSTALS[name], MOVES[move]
    before, after = properties(calc, atoms), properties(calc, turned(atoms, q))
    for key in offered():
        assert relative(after[key], rotate_property(key, before[key], q)) < 1e-5, key


@every_crystal
def test_results_do_not_depend_on_the_cell(calc, name):
    atoms = CRYSTALS[name]
    expected = properties(calc, atoms)
    shifted = atoms.copy()
    shifted.positions += (0.31, 5.2, -3.3)
    wrapped = shifted.copy()
    wrapped.wrap()
    cells = [
        shifted,
        wrapped,
        permuted(atoms),
        atoms * (2, 1, 1),
        make_supercell(atoms, NON_DIAGONAL),
    ]
    for other in cells:
        for key, value in properties(calc, other).items():
            assert relative(value, expected[key]) < 1e-5, key


def test_conventional_cell_gives_the_same_tensors(calc):
    for arguments in (("MgO", "rocksalt", 4.21), ("Si", "diamond", 5.43)):
        one, four = bulk(*arguments), bulk(*arguments, cubic=True)
        for key in offered():
            a, b = calc.get_property(key, one), calc.get_property(key, four)
            assert relative(a, b) < 1e-5


@every_crystal
def test_projection_gives_the_exact_symmetry(model, name):
    atoms = CRYSTALS[name].copy()
    atoms.rattle(1e-3, seed=1)  # coordinate noise that the symmetry search forgives
    group = analyse(atoms).rotations
    deviation = {}
    for project in (True, False):
        calc = EqTensorCalculator(model, dtype="float64", project=project)
        for key, value in properties(calc, atoms).items():
            images = np.array([rotate_property(key, value, r) for r in group])
            worst = np.linalg.norm(images - value, axis=(1, 2)).max()
            deviation[project, key] = worst / (np.linalg.norm(value) or 1.0)
    assert all(deviation[True, key] < 1e-12 for key in offered())
    if len(group) > 1 and name != "monoclinic":
        assert deviation[False, "elasticity_tensor"] > 1e-8  # projection had something to do


def test_reduction_to_the_primitive_cell(model, monkeypatch):
    atoms = CRYSTALS["rutile"] * (2, 2, 1)
    sizes, original = [], TensorNetwork.read
    monkeypatch.setattr(
        TensorNetwork,
        "read",
        lambda self, g: sizes.append(len(g.numbers)) or original(self, g),
    )
    a = EqTensorCalculator(model, dtype="float64").get_property("elasticity_tensor", atoms)
    b = EqTensorCalculator(model, dtype="float64", reduce_cell=False).get_property(
        "elasticity_tensor", atoms
    )
    assert sizes == [6, 24]
    assert relative(a, b) < 1e-10


def test_pymatgen_structures(calc):
    atoms = CRYSTALS["quartz"]
    structure = AseAtomsAdaptor.get_structure(atoms)
    expected = properties(calc, atoms)
    for _ in range(2):  # computed and cached
        for key, value in properties(calc, structure).items():
            np.testing.assert_allclose(value, expected[key], rtol=1e-6, atol=1e-6)
    entry = calc.predict([structure])[0]
    np.testing.assert_allclose(
        entry["elasticity_tensor"], expected["elasticity_tensor"], rtol=1e-5, atol=1e-6
    )
    with pytest.raises(StructureError):
        calc.get_property("elasticity_tensor", "quartz.cif")
