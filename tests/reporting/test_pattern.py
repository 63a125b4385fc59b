"""Which entries of a tensor the point group makes zero, equal or dependent."""

import numpy as np
import pytest
from crystals import CRYSTALS

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities.permittivity import TOTAL
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.quantities.stiffness import COMPLIANCE, STIFFNESS
from ase_eqtensor.reporting.pattern import tensor_pattern
from ase_eqtensor.tensors.notation import project_rank2, project_stiffness


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("quantity", [STIFFNESS, COMPLIANCE, TOTAL], ids=["C", "S", "ε"])
def test_pattern_is_that_of_projected_tensors(name, quantity):
    rotations, rng = analyse(CRYSTALS[name]).rotations, np.random.default_rng(0)
    pattern, tensors = tensor_pattern(quantity, rotations), []
    symbol = quantity.display.symbol
    for _ in range(30):
        a = rng.normal(size=(3, 3) if symbol == "ε" else (6, 6))
        project = project_rank2 if symbol == "ε" else project_stiffness
        tensor = project(a @ a.T + np.eye(len(a)), rotations)
        tensors.append(np.linalg.inv(tensor) if symbol == "S" else tensor)
    tensors = np.array(tensors)
    biggest = np.abs(tensors).max(axis=0)
    np.testing.assert_array_equal(biggest < 1e-9, pattern.zero)
    for k in range(len(pattern.equal)):
        own = tensors[:, pattern.group == k]
        ratios = own / own[:, :1]
        np.testing.assert_allclose(ratios, ratios[:1].repeat(30, axis=0), rtol=1e-6)
    if symbol != "S":  # inverses are no linear function
        assert np.linalg.matrix_rank(tensors.reshape(30, -1), tol=1e-6) == pattern.independent


def test_relations_of_hexagonal_and_trigonal_crystals():
    wurtzite = analyse(CRYSTALS["wurtzite"]).rotations
    assert tensor_pattern(STIFFNESS, wurtzite).differences == ("C66 = ½(C11 − C12)",)
    assert tensor_pattern(COMPLIANCE, wurtzite).differences == ("S66 = 2(S11 − S12)",)
    quartz = analyse(CRYSTALS["quartz"]).rotations
    assert "S14 = −S24 = ½S56" in tensor_pattern(COMPLIANCE, quartz).equal


def test_relations_of_piezoelectric_tensors():
    wurtzite = tensor_pattern(PIEZOELECTRIC, analyse(CRYSTALS["wurtzite"]).rotations)
    assert set(wurtzite.equal) == {"e15 = e24", "e31 = e32"} and wurtzite.independent == 3
    quartz = tensor_pattern(PIEZOELECTRIC, analyse(CRYSTALS["quartz"]).rotations)
    assert quartz.independent == 2 and quartz.zero[2].all()
    rocksalt = tensor_pattern(PIEZOELECTRIC, analyse(CRYSTALS["rocksalt"]).rotations)
    assert rocksalt.zero.all() and rocksalt.independent == 0
