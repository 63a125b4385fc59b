"""What physics dictates, asked of the default model (studies/laws.py)."""

import pytest

from ase_eqtensor import EqTensorCalculator
from studies import laws

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def calculator():
    return EqTensorCalculator(allow_untrained_elements=True)


def test_empty_space_dilutes(calculator):
    assert max(laws.dilution(calculator).values()) < 0.05


@pytest.mark.parametrize("name", laws.CUBIC)
def test_pressure_stiffens(calculator, name):
    assert 3 < laws.pressure(calculator, name)["K'"] < 6.5


def test_an_ionic_permittivity_falls_under_pressure(calculator):
    assert laws.pressure(calculator, "NaCl")["eps"] < 0


def test_a_foreign_atom_is_a_local_matter(calculator):
    assert max(laws.impurity(calculator).values()) < 0.03


def test_noise_changes_little(calculator):
    assert max(laws.noise(calculator).values()) < 0.03


def test_a_missing_atom_softens(calculator):
    assert max(laws.vacancy(calculator).values()) < 0
