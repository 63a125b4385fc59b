"""Commands have the settings of the calculator; uncalibrated models show all values."""

import csv
import inspect
import json
from dataclasses import fields

import pytest
from ase.io import read
from places import CIFS
from typer.main import get_command
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator, Settings, predict, screen
from ase_eqtensor.commands import app

MGO = str(CIFS / "MgO.cif")
PREDICTING = ("predict", "screen", "report")
FIXED = ("project", "reduce_cell")  # for tests of the bare network, in Python only


@pytest.fixture
def runner(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return CliRunner()


def test_calculator_has_the_fields_and_defaults_of_settings():
    parameters = inspect.signature(EqTensorCalculator).parameters
    for field in fields(Settings):
        assert parameters[field.name].default == field.default, field.name
    assert set(parameters) == {"model", "partner", *(field.name for field in fields(Settings))}
    assert parameters["partner"].default is None


@pytest.mark.parametrize("command", PREDICTING)
def test_commands_have_them_too(command):
    options = {p.name: p for p in get_command(app).commands[command].params}
    for field in fields(Settings):
        if field.name not in FIXED:
            assert options[field.name].default == field.default
            assert f"--{field.name.replace('_', '-')}" in options[field.name].opts
    workers = {
        inspect.signature(function).parameters["workers"].default
        for function in (predict, screen, EqTensorCalculator.predict)
    }
    assert {options["workers"].default} == workers
    assert options["model"].default is None and options["partner"].default is None


def test_settings_reach_the_prediction(runner):
    result = runner.invoke(
        app, ["predict", MGO, "--json", "--dtype", "float64", "--symprec", "1e-3"]
    )
    (entry,) = json.loads(result.stdout)
    calculator = EqTensorCalculator(dtype="float64", symprec=1e-3)
    expected = calculator.get_property("elasticity_tensor", read(MGO))
    told = entry["tensors"]["elasticity_tensor_ev_per_ang3"]
    assert told == [[float(f"{x:.6g}") for x in row] for row in expected]
    for command in (["predict", MGO], ["report", MGO], ["screen", str(CIFS), "out.db"]):
        wrong = runner.invoke(app, [*command, "--dtype", "half"])
        assert wrong.exit_code == 1 and "choose 'float32' or 'float64'" in str(wrong.exception)


def test_values_of_a_model_that_was_never_calibrated(runner, weights):
    model = ["--model", str(weights)]
    prediction = EqTensorCalculator(weights).predict([read(MGO)])[0]
    assert prediction.uncertainty == {} and len(prediction.scalars) == 12
    table = runner.invoke(app, ["predict", MGO, *model]).stdout
    assert "never calibrated" in table.splitlines()[0]
    assert f" {prediction.scalars['k_vrh_gpa']:.3g} " in table and "[" not in table
    printed = runner.invoke(app, ["predict", MGO, "--csv", *model])
    assert "never calibrated" in printed.stderr
    (row,) = csv.DictReader(printed.stdout.splitlines())
    told = {name: float(row[name]) for name in prediction.scalars}
    assert told == pytest.approx(prediction.scalars, rel=1e-5, abs=1e-12)
    (entry,) = json.loads(runner.invoke(app, ["predict", MGO, "--json", *model]).stdout)
    assert entry["scalars"] == told and not entry["calibrated"]
    assert runner.invoke(app, ["report", MGO, *model, "-o", "a.html"]).exit_code == 0
    with open("a.html", encoding="utf-8") as page:
        text = page.read()
    assert text.index("never calibrated") < text.index("<main>") and "Bulk modulus K" in text


def test_several_reports(runner, weights, tmp_path):
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a none\n")
    files = [MGO, str(CIFS / "GaN.cif"), "broken.cif"]
    options = ["-o", "pages", "--model", str(weights), "--workers", "2"]
    result = runner.invoke(app, ["report", *files, *options])
    assert result.exit_code == 3 and "broken.cif" in result.stderr
    assert sorted(p.name for p in (tmp_path / "pages").iterdir()) == [
        "GaN.html", "MgO.html", "index.html",
    ]  # fmt: skip
    twins = runner.invoke(app, ["report", MGO, MGO.replace("crystals", "crystals/../crystals")])
    assert "rename one file" in str(twins.exception)
