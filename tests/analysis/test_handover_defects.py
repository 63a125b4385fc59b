"""The permittivity in corrections of charged defects, by pymatgen-analysis-defects."""

import numpy as np
import pytest
from ase.build import bulk
from equivariance import orthogonal, turned
from pymatgen.analysis.defects.corrections.freysoldt import perform_es_corr
from pymatgen.analysis.defects.utils import QModel
from pymatgen.core import Lattice

from ase_eqtensor import EqTensorCalculator

COULOMB, WIGNER = 14.399645, 2.837297  # eV Å; Madelung constant of a charge in a simple cubic cell


@pytest.fixture(scope="module")
def calculator():
    return EqTensorCalculator()


def energy(lattice: np.ndarray, charge: int, permittivity: np.ndarray) -> float:
    return perform_es_corr(Lattice(lattice), charge, permittivity, QModel())


def test_a_charge_in_a_cubic_crystal_has_madelungs_energy(calculator):
    (prediction,) = calculator.predict([bulk("MgO", "rocksalt", a=4.21)])
    side, eps = 16.84, prediction["dielectric_tensor"]
    expected = WIGNER * 2**2 * COULOMB / (2 * side * eps[0, 0])
    assert energy(side * np.eye(3), 2, eps) == pytest.approx(expected, rel=0.03)


def test_tensor_and_cell_are_in_one_frame(calculator):
    zinc = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    rotation = orthogonal(3)
    before, after = calculator.predict([zinc, turned(zinc, rotation)])
    cell = 4 * zinc.cell.array * [[1], [1], [0.6]]
    straight = energy(cell, 1, before["dielectric_tensor"])
    assert energy(cell @ rotation.T, 1, after["dielectric_tensor"]) == pytest.approx(
        straight, rel=1e-3
    )
    assert energy(cell @ rotation.T, 1, before["dielectric_tensor"]) != pytest.approx(
        straight, rel=1e-4
    )
