"""Known first-principles values: beside the prediction, and in its place if that is preferred."""

import csv
import io
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase.build import make_supercell
from ase.io import read, write
from crystals import NON_DIAGONAL, quartz
from equivariance import MOVES, permuted, turned
from places import CIFS
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator, ModelError, freeze, load, load_model, save, screen
from ase_eqtensor.commands import app
from ase_eqtensor.models.store import Model, save_model
from ase_eqtensor.models.training_crystals import TrainingCrystal, save_crystals
from ase_eqtensor.prediction.known import compared
from ase_eqtensor.quantities import QUANTITIES
from ase_eqtensor.reporting import report

C, S, EPS = "elasticity_tensor", "compliance_tensor", "dielectric_tensor"
QUARTZ = quartz()


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_model("joint-v2")


@pytest.fixture(scope="module")
def truth(shipped) -> dict[str, np.ndarray]:
    """Made-up tensors of quartz: a stiffness far from the predicted one, a permittivity near it."""
    prediction = EqTensorCalculator(shipped).predict([QUARTZ])[0]
    return {C: 3 * prediction.tensors[C], EPS: prediction.tensors[EPS] + np.diag([0.0, 0.0, 0.01])}


@pytest.fixture(scope="module")
def model(shipped, truth, tmp_path_factory) -> Model:
    """The shipped model, told that it was trained on quartz."""
    path = tmp_path_factory.mktemp("known") / "known"
    entries = [
        TrainingCrystal("mp-1", "elastic", "SiO2", 1, QUARTZ, {C: truth[C]}),
        TrainingCrystal("mp-2", "dielectric", "SiO2", 1, QUARTZ, {EPS: truth[EPS]}),
    ]
    weights = save_model(shipped.network, shipped.card, path, entries)
    return load_model(weights)


def test_known_values_stand_beside(model, truth):
    calculator = EqTensorCalculator(model)
    calculator.get_property(C, QUARTZ)
    known = compared(calculator.prediction, calculator.seen())
    assert {name: value.source_id for name, value in known.items()} == {C: "mp-1", EPS: "mp-2"}
    np.testing.assert_allclose(known[C].tensor, truth[C], rtol=1e-5, atol=1e-5)
    assert known[C].relative_error == pytest.approx(2 / 3, rel=1e-5)
    assert set(known[C].outside) == {C, "k_vrh_gpa", "g_vrh_gpa"}
    assert known[EPS].outside == ()
    ratio = known[C].scalars["k_vrh_gpa"] / calculator.prediction.scalars["k_vrh_gpa"]
    assert ratio == pytest.approx(3, rel=1e-5)


@pytest.mark.parametrize("move", MOVES)
def test_known_tensors_take_the_place_in_any_frame_and_cell(model, truth, move):
    turn = MOVES[move]
    moved = permuted(make_supercell(turned(QUARTZ, turn), NON_DIAGONAL))
    calculator = EqTensorCalculator(model, prefer_known=True)
    expected = QUANTITIES[C].rotate(truth[C], turn)
    tolerance = 1e-5 * np.linalg.norm(expected)
    np.testing.assert_allclose(calculator.get_property(C, moved), expected, atol=tolerance)
    assert calculator.prediction.known == {C: "mp-1", S: "mp-1", EPS: "mp-2"}
    compliance = calculator.get_property(S, moved)
    np.testing.assert_allclose(compliance @ calculator.get_property(C, moved), np.eye(6), atol=1e-9)


def test_known_tensors_are_symmetric_have_no_bounds_and_are_marked(model):
    calculator = EqTensorCalculator(model, prefer_known=True)
    tensor = calculator.get_property(EPS, QUARTZ)
    assert tensor[0, 0] == pytest.approx(tensor[1, 1], rel=1e-12)
    prediction = calculator.prediction
    assert EPS not in prediction.uncertainty and prediction.interval("eps_total") is None
    assert "electronic_dielectric_tensor" in prediction.uncertainty  # which nobody knows
    assert prediction.scalars["eps_total"] == pytest.approx(np.trace(tensor) / 3, rel=1e-6)
    assert prediction.record()["known"][EPS] == "mp-2"


def test_another_structure_is_predicted(model):
    strained = QUARTZ.copy()
    strained.set_cell(strained.cell * [1, 1, 1.1], scale_atoms=True)
    plain, preferring = EqTensorCalculator(model), EqTensorCalculator(model, prefer_known=True)
    np.testing.assert_array_equal(
        preferring.get_property(C, strained), plain.get_property(C, strained)
    )
    assert preferring.prediction.known == {}


def test_the_setting_can_be_changed(model, truth):
    calculator = EqTensorCalculator(model)
    predicted = calculator.get_property(C, QUARTZ)
    calculator.prefer_known = True
    np.testing.assert_allclose(
        calculator.get_property(C, QUARTZ), 3 * predicted, rtol=1e-5, atol=1e-5
    )


def test_nothing_is_said_of_how_far_off_a_known_tensor_is(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (plain,) = EqTensorCalculator(model).predict([QUARTZ])
        (known,) = EqTensorCalculator(model, prefer_known=True).predict([QUARTZ])
    assert plain.concerns["unlike_training_data"] == (C,)
    assert known.flags == ()


def test_a_model_without_its_training_crystals_says_so_at_once(shipped):
    with pytest.raises(ModelError, match="no list of the training crystals"):
        EqTensorCalculator(replace(shipped, weights=None), prefer_known=True)


@pytest.fixture
def run(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    write("quartz.vasp", QUARTZ)

    def run(*arguments: str) -> str:
        options = ["--model", str(model.crystals).replace(".crystals.npz", ".safetensors")]
        result = CliRunner().invoke(app, [arguments[0], "quartz.vasp", *arguments[1:], *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_table(run, monkeypatch):
    for columns, mark in (("160", "│ first principles"), ("80", "= 1")):
        monkeypatch.setenv("COLUMNS", columns)
        (beside,) = (line for line in run("predict").splitlines() if line.startswith(mark))
        assert beside.count("!") == 2  # K and G, three times the predicted ones
        assert "! outside the 90 % interval" in run("predict")
        preferring = run("predict", "--prefer-known")
        assert "(mp-1)" in preferring and "first principles" not in preferring


def test_csv_and_json(run):
    (row,) = csv.DictReader(io.StringIO(run("predict", "--csv")))
    assert float(row["k_vrh_gpa_known"]) == pytest.approx(3 * float(row["k_vrh_gpa"]), rel=1e-4)
    assert row["eps_inf_known"] == row["known_taken"] == ""
    assert set(row["known_outside_90"].split()) == {C, "k_vrh_gpa", "g_vrh_gpa"}
    (entry,) = json.loads(run("predict", "--json"))
    known = entry["first_principles"]
    assert known[C]["source_id"] == "mp-1" and known[C]["outside_90"] and not entry["known"]
    (entry,) = json.loads(run("predict", "--json", "--prefer-known"))
    assert entry["known"][C] == "mp-1" and C not in entry["uncertainty"]
    key = "elasticity_tensor_gpa"
    taken, first = entry["tensors"][key], known[C]["tensors"][key]
    np.testing.assert_allclose(taken, first, rtol=1e-5, atol=1e-4)


def test_report(model, tmp_path):
    plain = report(QUARTZ, tmp_path / "plain.html", EqTensorCalculator(model)).read_text()
    assert plain.count("outside the interval") == 2
    assert plain.count("more than its 90 % bound") == 1
    preferring = EqTensorCalculator(model, prefer_known=True)
    page = report(QUARTZ, tmp_path / "known.html", preferring).read_text()
    assert "First-principles value of" in page and ">mp-1</a>, as was asked for" in page
    assert "was never calibrated" not in page
    assert "outside the interval" not in page


def test_screen_and_files(model, tmp_path):
    weights = str(model.crystals).replace(".crystals.npz", ".safetensors")
    write(tmp_path / "quartz.db", QUARTZ)
    screen(tmp_path / "quartz.db", tmp_path / "out.db", weights, prefer_known=True)
    (image,) = load(tmp_path / "out.db")
    pairs = image.info["key_value_pairs"]
    assert pairs["elasticity_known"] == "mp-1" and pairs["dielectric_known"] == "mp-2"
    assert "elasticity_error_90" not in pairs
    atoms = QUARTZ.copy()
    atoms.calc = EqTensorCalculator(model, prefer_known=True)
    for name in ("a.extxyz", "a.traj", "a.json"):
        save(tmp_path / name, [freeze(atoms)])
        (image,) = load(tmp_path / name)
        assert image.info["eqtensor"]["known"][C] == "mp-1"


def test_shipped_entries_without_a_tensor_are_left_out(tmp_path, shipped):
    save_crystals(tmp_path / "x.crystals.npz", [TrainingCrystal("m", "moduli", "SiO2", 1)])
    bare = replace(shipped, weights=tmp_path / "x.safetensors")
    calculator = EqTensorCalculator(bare, prefer_known=True)
    calculator.get_property(C, QUARTZ)
    assert calculator.prediction.known == {} and calculator.seen()[0].same_structure is None


def test_the_example_is_marked_by_its_own_bounds():
    """Its cell is the measured one, 1 % smaller than that of the training tensor."""
    calculator = EqTensorCalculator()
    prediction = calculator.predict([read(CIFS / "MgO.cif")])[0]
    low, high = prediction.interval("k_vrh_gpa")
    result = CliRunner().invoke(app, ["predict", str(CIFS / "MgO.cif")])
    assert "= 151" in result.stdout and ("= 151!" in result.stdout) == (not low <= 151 <= high)
