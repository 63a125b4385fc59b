"""Tensors as a measurement would find them."""

import json

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from places import CIFS
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.commands import app
from ase_eqtensor.errors import ModelError, SettingError
from ase_eqtensor.models.uncertainty import LEVELS
from ase_eqtensor.quantities import offered

MGO = bulk("MgO", "rocksalt", a=4.25)
GAN = bulk("GaN", "wurtzite", a=3.22, c=5.24)


@pytest.fixture(scope="module")
def predictions():
    levels = ("first principles", "measured")
    return [EqTensorCalculator(level=level).predict([MGO, GAN]) for level in levels]


def test_permittivities_fall_and_stiffnesses_rise(predictions):
    """PBE polarises too easily, and its crystals are too large and too soft."""
    for computed, measured in zip(*predictions):
        assert measured.scalars["eps_inf"] < computed.scalars["eps_inf"]
        assert measured.scalars["k_vrh_gpa"] > computed.scalars["k_vrh_gpa"]


def test_what_physics_demands_stays(predictions):
    for computed, measured in zip(*predictions):
        for name in ("dielectric_tensor", "electronic_dielectric_tensor"):
            assert np.linalg.eigvalsh(measured.tensors[name])[0] > 1
        stiffness, compliance = (
            measured.tensors[name] for name in ("elasticity_tensor", "compliance_tensor")
        )
        np.testing.assert_allclose(stiffness @ compliance, np.eye(6), atol=1e-9)
        for name, tensor in measured.tensors.items():  # symmetry zeros
            zeros = np.abs(computed.tensors[name]) < 1e-12
            assert np.abs(tensor[zeros]).max(initial=0) < 1e-12


def test_bounds_are_those_of_measured_values(predictions):
    for computed, measured in zip(*predictions):
        for name, estimate in measured.uncertainty.items():
            assert 0 < estimate.relative_error[0.5] < estimate.relative_error[0.9]
            assert estimate.relative_error != computed.uncertainty[name].relative_error
            for scalar, interval in estimate.scalars.items():
                (a, b), (c, d) = (interval.bounds[level] for level in LEVELS)
                assert c < a < interval.value < b < d
                assert interval.value == measured.scalars[scalar]
        assert {"eps_inf", "eps_total", "k_vrh_gpa", "g_vrh_gpa"} <= {
            scalar for estimate in measured.uncertainty.values() for scalar in estimate.scalars
        }
    # of piezoelectric tensors no measurements are known: first principles, without bounds
    known = {name for name, quantity in offered().items() if not quantity.form.odd}
    assert measured.uncertainty.keys() == known


def test_the_record_says_which_level(predictions):
    computed, measured = (one[0].record()["level"] for one in predictions)
    assert (computed, measured) == ("first principles", "measured")


def test_command_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    crystal = str(CIFS / "MgO.cif")
    run = CliRunner().invoke(app, ["predict", crystal, "--json", "--level", "measured"])
    (entry,) = json.loads(run.stdout)
    calculator = EqTensorCalculator(level="measured")
    assert entry["level"] == "measured"
    expected = calculator.get_property("dielectric_tensor", read(crystal))
    np.testing.assert_allclose(entry["tensors"]["dielectric_tensor"], expected, rtol=1e-5)
    table = CliRunner().invoke(app, ["predict", crystal, "--level", "measured"]).stdout
    assert "as a measurement would find them" in " ".join(table.split())


def test_impossible_levels():
    with pytest.raises(SettingError, match="level='PBE': choose 'first principles' or 'measured'"):
        EqTensorCalculator(level="PBE")
    with pytest.raises(SettingError, match="prefer_known"):
        EqTensorCalculator(level="measured", prefer_known=True)
    with pytest.raises(ModelError, match="'joint-v2' does not know what measurements find"):
        EqTensorCalculator("joint-v2", level="measured")


def test_the_card_states_how_good_it_is():
    measured = EqTensorCalculator().model.card.measured
    for entry in measured.values():
        for rates in entry.rates.values():
            # of so few crystals a median may rise by chance, as that of K does by 7 %
            assert rates["crystals"] >= 50 and rates["median_error"] < 1.1 * rates["uncorrected"]
            assert 0.8 < rates["coverage"] < 0.97
