"""The report says who says what where a potential was asked, too."""

import warnings

import pytest
from ase.build import bulk
from partners import written

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.reporting.opinion import told_opinion
from ase_eqtensor.reporting.page import render
from ase_eqtensor.reporting.subject import Subject
from ase_eqtensor.reporting.words import held
from ase_eqtensor.tensors.notation import GPA

SILVER = bulk("Ag", a=4.06)


@pytest.fixture(scope="module")
def calculator(tmp_path_factory):
    shares = {"by_class": {"metals": {"0.9": 0.77}}, "crystals": {"metals": 123}}
    own = {"elasticity_tensor": {"relative_error": shares}}
    return EqTensorCalculator(partner=written(tmp_path_factory.mktemp("card"), calibration=own))


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_rows(calculator):
    prediction = calculator.predictor.predict_one(SILVER)
    told = told_opinion(prediction, SILVER)
    assert told.labels == ["Bulk modulus K, GPa", "Shear modulus G, GPa"]
    network, potential, together = (
        [float(x) for x in told.rows[who]]
        for who in ("network", "ase.calculators.emt:EMT", "together")
    )
    assert potential[0] == pytest.approx(
        prediction.consulted.opinion.stiffness_gpa[:3, :3].sum() / 9, rel=0.01
    )
    assert min(network[0], potential[0]) <= together[0] <= max(network[0], potential[0])
    assert network[0] == pytest.approx(
        prediction.consulted.network["elasticity_tensor"][:3, :3].sum() / 9 / GPA, rel=0.01
    )
    assert "relaxed the crystal to 1." in told.sentence or "to 0.9" in told.sentence


def test_page(calculator):
    page = render(Subject.of(SILVER, calculator))
    assert "<td>" in page and 'id="partner"' in page and "together" in page
    assert "77 % of 123" in page  # of both together, not of the network alone
    alone = render(Subject.of(SILVER, EqTensorCalculator()))
    assert 'id="partner"' not in alone and "77 % of 123" not in alone


def test_an_unstable_crystal_is_called_so(calculator):
    atoms = bulk("Cu", "bcc", a=2.87)
    told = told_opinion(calculator.predictor.predict_one(atoms), atoms)
    assert "unstable under strain" in told.sentence


def test_without_an_answer_there_is_no_table(calculator):
    atoms = bulk("Fe")
    assert told_opinion(calculator.predictor.predict_one(atoms), atoms) is None
    assert told_opinion(EqTensorCalculator().predictor.predict_one(SILVER), SILVER) is None
    assert held(SILVER, {}) == ""
