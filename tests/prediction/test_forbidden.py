"""What symmetry forbids is exactly zero, without error and whatever the elements."""

import numpy as np
import pytest
from ase.build import bulk
from crystals import crystal_of_point_group
from networks import COUNTS, card, tiny_network

from ase_eqtensor import EqTensorCalculator, greatest_d
from ase_eqtensor.errors import ElementError
from ase_eqtensor.models.store import Model
from ase_eqtensor.quantities.piezoelectric import LONGITUDINAL, NAME, PIEZOELECTRIC
from ase_eqtensor.reporting.pattern import tensor_pattern

ALLOWED = ("1", "2", "m", "222", "mm2", "4", "-4", "422", "4mm", "-42m", "3", "32", "3m")
ALLOWED += ("6", "-6", "622", "6mm", "-6m2", "23", "-43m")
FORBIDDEN = ("-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m", "432")


@pytest.fixture(scope="module")
def calculator():
    model = Model(tiny_network(), card())
    return EqTensorCalculator(model, dtype="float64", allow_untrained_elements=True)


@pytest.mark.parametrize("symbol", ALLOWED)
def test_zeros_of_the_point_group_are_exact(calculator, symbol):
    atoms, group = crystal_of_point_group(symbol)
    tensor = calculator.predict([atoms])[0].tensors[NAME]
    size = np.abs(tensor).max()
    assert size > 0
    zero = tensor_pattern(PIEZOELECTRIC, group).zero
    assert np.abs(tensor[zero]).max(initial=0) < 1e-12 * size
    assert (np.abs(tensor[~zero]) > 1e-9 * size).all()


@pytest.mark.parametrize("symbol", FORBIDDEN)
def test_forbidden_tensors_are_zero(calculator, symbol):
    atoms, _ = crystal_of_point_group(symbol)
    prediction = calculator.predict([atoms])[0]
    assert not prediction.tensors[NAME].any() and prediction.scalars[LONGITUDINAL] == 0
    assert greatest_d(prediction).value == 0


def test_in_company_crystals_are_what_they_are_alone():
    calculator = EqTensorCalculator()
    crystals = [bulk("MgO", "rocksalt", a=4.2), bulk("ZnS", "zincblende", a=5.4), bulk("Si")] * 2
    together = calculator.predict(crystals)
    for atoms, one in zip(crystals, together):
        (alone,) = calculator.predict([atoms])
        for name, tensor in alone.tensors.items():
            np.testing.assert_allclose(one.tensors[name], tensor, rtol=1e-4, atol=1e-6)
    assert together[0].uncertainty[NAME].relative_error == {0.5: 0.0, 0.9: 0.0}
    assert together[0].interval(LONGITUDINAL) == (0.0, 0.0) and together[1].tensors[NAME].any()


def test_unknown_elements_do_not_matter_where_it_is_zero():
    counts = COUNTS | {NAME: {z: n for z, n in COUNTS[NAME].items() if z != 16}}
    calculator = EqTensorCalculator(Model(tiny_network(), card(elements=counts)))
    lead, zinc = bulk("PbS", "rocksalt", a=5.9), bulk("ZnS", "zincblende", a=5.4)
    assert not calculator.get_property(NAME, lead).any()
    with pytest.raises(ElementError, match=NAME):
        calculator.get_property(NAME, zinc)
