"""Flags belong to tensors, and what the training data know of a crystal counts."""

import pytest
from ase.build import bulk
from ase.db import connect

from ase_eqtensor import EqTensorCalculator, freeze, save
from ase_eqtensor.quantities import offered

DIELECTRIC = tuple(name for name, quantity in offered().items() if quantity.insulators_only)


@pytest.fixture(scope="module")
def calculator():
    return EqTensorCalculator(allow_untrained_elements=True)


@pytest.mark.parametrize("formula", ["NiO", "MnO", "CoO"])
def test_insulators_of_the_training_data_are_no_metals(calculator, formula):
    (prediction,) = calculator.predict([bulk(formula, "rocksalt", a=4.2)])
    assert "likely_metal" not in prediction.flags


@pytest.mark.parametrize("symbol", ["Cu", "Al", "Fe", "Ti"])
def test_metals_have_the_metal_flag_and_no_other_about_dielectric_tensors(calculator, symbol):
    (prediction,) = calculator.predict([bulk(symbol)])
    assert prediction.concerns["likely_metal"] == DIELECTRIC
    about = prediction.concerns.get("unlike_training_data", ())
    assert not set(about) & set(DIELECTRIC)
    for name in DIELECTRIC:
        own = [w.flag for w in prediction.warnings if name in (w.properties or ())]
        assert set(own) <= {"likely_metal", "untrained_element"}


def test_records_and_databases_say_which_tensor_a_flag_concerns(calculator, tmp_path):
    copper = bulk("Cu")
    (prediction,) = calculator.predict([copper])
    assert prediction.record()["concerns"]["likely_metal"] == list(DIELECTRIC)
    save(tmp_path / "a.db", [freeze(copper, prediction)])
    with connect(tmp_path / "a.db") as db:
        row = db.get("likely_metal=True,dielectric_likely_metal=True")
    assert "elasticity_likely_metal" not in row.key_value_pairs


def test_a_flag_without_tensors_concerns_all(calculator):
    slab = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    slab.center(8, axis=2)
    (prediction,) = calculator.predict([slab])
    assert prediction.concerns["vacuum"] == ()
