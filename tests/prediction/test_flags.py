"""Flags belong to tensors, and what the training data know of a crystal counts."""

import pytest
from ase import Atoms
from ase.build import bulk
from ase.db import connect

from ase_eqtensor import EqTensorCalculator, freeze, save
from ase_eqtensor.quantities import offered

MGO = bulk("MgO", "rocksalt", a=4.25)
# a piezoelectric tensor is zero in all crystals here, metals or not
DIELECTRIC = tuple(n for n, q in offered().items() if q.insulators_only and not q.form.odd)


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


@pytest.mark.parametrize(
    ("name", "structure", "size"),
    [("MgO", "rocksalt", 4.25), ("Si", "diamond", 5.47), ("Cu", "fcc", 3.63)]
    + [("NaCl", "rocksalt", 5.69)],
)
def test_crystals_far_from_rest_are_flagged_and_have_wider_bounds(
    calculator, name, structure, size
):
    ratios = (1.0, 0.75, 0.85, 1.2)
    crystals = [bulk(name, structure, a=size * ratio ** (1 / 3)) for ratio in ratios]
    usual, *strained = calculator.predict(crystals)
    assert "far_from_rest" not in usual.flags
    for prediction in strained:
        assert prediction.concerns["far_from_rest"] == ()
        for tensor, estimate in usual.uncertainty.items():
            for level, bound in estimate.relative_error.items():
                wider = prediction.uncertainty[tensor].relative_error[level]
                assert wider > 1.05 * bound or offered()[tensor].form.odd and wider == bound == 0


def test_large_ionic_parts_are_flagged(calculator):
    tin, common = calculator.predict([bulk("SnTe", "rocksalt", a=6.4), MGO])
    assert tin.concerns["soft_mode_possible"] == ("dielectric_tensor",)
    assert "soft_mode_possible" not in common.flags


def test_titanates_are_suspected_whatever_their_labels_say(calculator):
    titanate = Atoms("SrTiO3", cell=[3.94] * 3, pbc=True)
    titanate.set_scaled_positions(
        [(0, 0, 0), (0.5,) * 3, (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    )
    (prediction,) = calculator.predict([titanate])
    assert prediction.concerns["soft_mode_possible"] == ("dielectric_tensor",)


def test_instability_is_suspected_with_the_rates_of_the_card(calculator):
    suspicion = calculator.model.card.suspicions["possibly_unstable"]
    assert suspicion.rates["caught"] > 2 * suspicion.rates["false_alarms"]
    assert suspicion.rates["deserving"] > 100
    stiff = calculator.predict([MGO, bulk("Si"), bulk("W")])
    assert not any("possibly_unstable" in prediction.flags for prediction in stiff)


def test_a_flag_without_tensors_concerns_all(calculator):
    slab = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    slab.center(8, axis=2)
    (prediction,) = calculator.predict([slab])
    assert prediction.concerns["vacuum"] == ()
