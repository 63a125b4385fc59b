"""The command line: tables, JSON, CSV and files, broken crystals named, exit codes, extras."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.io import read, write
from ase.units import GPa
from places import CIFS
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator, load_model
from ase_eqtensor.commands import app
from ase_eqtensor.errors import OutputExistsError
from ase_eqtensor.files import connect, load, tensors


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    return CliRunner()


def test_table(runner):
    paths = [str(CIFS / f"{name}.cif") for name in ("CaF2", "CaWO4")]
    result = runner.invoke(app, ["predict", *paths])
    assert result.exit_code == 0, result.output
    rows = {
        line.split("│")[1].strip(): line for line in result.output.splitlines() if ".cif" in line
    }
    assert "mp-2741" in rows["CaF2.cif"] and rows["CaWO4.cif"].split("│")[-2].strip() == "no"
    calculator = EqTensorCalculator()
    calculator.get_property("elasticity_tensor", read(paths[0]))
    known = calculator.prediction.uncertainty["elasticity_tensor"].scalars["k_vrh_gpa"]
    low, high = known.bounds[0.9]
    assert f"{known.value:.3g} [{low:.3g}, {high:.3g}]" in rows["CaF2.cif"]


def test_json(runner):
    path = CIFS / "CaF2.cif"
    result = runner.invoke(app, ["predict", "--json", str(path)])
    (one,) = json.loads(result.stdout)
    expected = EqTensorCalculator().get_property("elasticity_tensor", read(path))
    tensors = one["tensors"]
    np.testing.assert_allclose(tensors["elasticity_tensor_ev_per_ang3"], expected, rtol=1e-5)
    np.testing.assert_allclose(tensors["elasticity_tensor_gpa"], expected / GPa, rtol=1e-5)
    assert tensors.keys() == one["units"].keys() and one["units"]["elasticity_tensor_gpa"] == "GPa"
    assert one["model"] and one["uncertainty"]["elasticity_tensor"]["relative_error"]["0.9"] > 0
    match = next(known for known in one["seen"] if known["same_structure"])
    assert match["source_id"] == "mp-2741"
    assert np.shape(match["tensors"]["elasticity_tensor_gpa"]) == (6, 6)


def test_numbers_have_six_digits_and_zeros_by_symmetry_are_zero(runner):
    text = runner.invoke(app, ["predict", "--json", str(CIFS / "CaF2.cif")]).stdout
    digits = [
        re.sub(r"e.*|[-.]", "", number).strip("0")
        for number in re.findall(r"(?<![\w.-])-?\d+\.\d+(?:e-?\d+)?", text)
    ]
    assert len(digits) > 100 and max(map(len, digits)) == 6
    assert not re.search(r"e-1\d|e-2\d|-0\.0\b", text)
    stiffness = np.array(json.loads(text)[0]["tensors"]["elasticity_tensor_gpa"])
    assert (stiffness[:3, 3:] == 0).all() and stiffness[3, 3] == stiffness[5, 5]


def test_twenty_mixed_files_two_of_them_broken(runner, tmp_path, monkeypatch):
    """Table, two errors, exit code of partial failure, and a database that `ase db` can query."""
    monkeypatch.chdir(tmp_path)
    given = [read(path) for path in sorted(CIFS.glob("*.cif"))]
    for i in range(18):
        atoms = given[i % 5].copy()
        atoms.set_cell(atoms.cell * (1 + 0.001 * i), scale_atoms=True)
        name, kind = ((f"{i}.cif", "cif"), (f"{i}.vasp", "vasp"), (f"{i}.extxyz", "extxyz"))[i % 3]
        write(name, atoms, format=kind)
    Path("broken.cif").write_text("data_x\n_cell_length_a none\n")
    Path("empty.extxyz").write_text("")
    result = runner.invoke(app, ["predict", "*.cif", "*.vasp", "*.extxyz", "-o", "out.db"])
    assert result.exit_code == 3 and "Traceback" not in result.output
    assert result.stdout.count("GPa") == 2 and all(f"{i}." in result.stdout for i in range(18))
    told = [line.split(":")[0] for line in result.stderr.splitlines()]
    assert told == ["broken.cif", "empty.extxyz"]
    queried = subprocess.run(
        [sys.executable, "-m", "ase", "db", "out.db", "k_vrh_gpa>0,eps_total>1", "-n"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert queried.stdout.split() == ["18", "rows"]


def test_nothing_predicted(runner, tmp_path):
    result = runner.invoke(app, ["predict", str(tmp_path / "missing.cif")])
    assert result.exit_code == 1 and "missing.cif" in result.stderr and not result.stdout


def test_csv_has_units_and_bounds(runner):
    result = runner.invoke(app, ["predict", "--csv", str(CIFS / "MgO.cif")])
    (row,) = csv.DictReader(result.stdout.splitlines())
    assert row["formula"] == "MgO" and row["trained_on"] == "mp-1265"
    assert (
        float(row["k_vrh_gpa_low_90"]) < float(row["k_vrh_gpa"]) < float(row["k_vrh_gpa_high_90"])
    )
    assert float(row["eps_inf"]) < float(row["eps_total"])
    assert float(row["c11_gpa"]) > float(row["c44_gpa"]) > 0 == float(row["c45_gpa"])
    c11, c12 = float(row["c11_gpa"]), float(row["c12_gpa"])
    assert (c11 + 2 * c12) / 3 == pytest.approx(float(row["k_vrh_gpa"]), rel=1e-5)
    assert float(row["eps_inf_xx"]) == pytest.approx(float(row["eps_inf"]), rel=1e-5)
    assert {float(row[f"e{i}{j}_c_per_m2"]) for i in range(1, 4) for j in range(1, 7)} == {0}
    assert "c21_gpa" not in row and "s66_per_tpa" in row and "eps_total_yz" in row


def test_columns_are_chosen(runner):
    mgo = str(CIFS / "MgO.cif")
    result = runner.invoke(app, ["predict", "--csv", "--quantities", "electronic_dielectric", mgo])
    (row,) = csv.DictReader(result.stdout.splitlines())
    assert "eps_inf" in row and "birefringence" in row and not {"k_vrh_gpa", "eps_total"} & set(row)
    options = ["--quantities", "elasticity_tensor, dielectric"]
    table = runner.invoke(app, ["predict", mgo, *options]).stdout
    assert "K, GPa" in table and "eps_total" in table and "eps_inf" not in table
    wrong = runner.invoke(app, ["predict", mgo, "--quantities", "piezo"])
    assert wrong.exit_code == 1 and "no 'piezo', only elasticity" in str(wrong.exception)
    wrong = runner.invoke(app, ["predict", mgo, "--json", "--quantities", "dielectric"])
    assert wrong.exit_code == 2 and "--json prints everything" in wrong.output


def test_frames_are_predicted_one_by_one_and_files_read_back(runner, tmp_path):
    frames = [read(CIFS / "MgO.cif"), read(CIFS / "GaN.cif")]
    for frame in frames:
        frame.info = {}
    write(tmp_path / "two.extxyz", frames)
    output = tmp_path / "out.traj"
    result = runner.invoke(app, ["predict", str(tmp_path / "two.extxyz"), "-o", str(output)])
    assert result.exit_code == 0 and "two.extxyz#1" in result.stdout
    again = [tensors(frame)["elasticity_tensor"] for frame in load(output)]
    expected = [entry["elasticity_tensor"] for entry in EqTensorCalculator().predict(frames)]
    np.testing.assert_allclose(again, expected, rtol=1e-5, atol=1e-7)


def test_output_that_exists_is_refused_before_any_work(runner, tmp_path):
    (tmp_path / "out.db").write_text("mine")
    command = ["predict", str(CIFS / "MgO.cif"), "-o", str(tmp_path / "out.db")]
    result = runner.invoke(app, command)
    assert isinstance(result.exception, OutputExistsError) and not result.stdout
    assert (tmp_path / "out.db").read_text() == "mine"


def test_screen_and_its_failures(runner, tmp_path):
    shutil.copy(CIFS / "MgO.cif", tmp_path)
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a none\n")
    command = ["screen", str(tmp_path), str(tmp_path / "out.db"), "--pattern", "*.cif", "-j", "1"]
    result = runner.invoke(app, command)
    assert result.exit_code == 3 and "broken.cif: cannot be read" in result.stderr
    assert "1 crystal written, 0 were there" in result.stdout
    assert "1 crystal without a prediction:" in result.stderr
    assert "0 crystals written, 1 was there" in runner.invoke(app, command).stdout
    with connect(tmp_path / "out.db") as db:
        assert db.get("k_vrh_gpa>0").source == "MgO.cif"


def test_models_lists_them(runner):
    text = runner.invoke(app, ["models"]).stdout
    assert "joint-v8 --partner 7net-l3i5: stiffness 0.1" in text
    assert "joint-v8 (default)" in text and "joint-v8-folds" in text


def test_models_tells_what_the_card_says(runner):
    text = runner.invoke(app, ["models", "joint-v8-folds", "--verbose"]).stdout
    card = load_model("joint-v8-folds").card
    figures = card.figures_of("out_of_fold")["elasticity_tensor"]
    told = [*card.limits, *card.data_citation, card.intended_use, "elastic: 1181"]
    told += [f"stiffness: {card.level_of_theory['elasticity_tensor']}", "5 networks, 9"]
    told += [f"stiffness: mean {figures['mean_relative']['value']:.3f}", "layered crystals 31 %"]
    told += ["eps_inf: 63, without He Ne Ar Kr Tc"]
    assert [line for line in told if line not in text] == [] and "joint-v2" not in text
    assert "joint-v8-folds" in runner.invoke(app, ["models", "-v"]).stdout


@pytest.mark.parametrize("debug", [False, True])
def test_errors_have_one_line_unless_debugged(debug, tmp_path):
    command = [sys.executable, "-m", "ase_eqtensor", "screen", "nowhere", "out.db"]
    flags = ["--debug"] if debug else []
    result = subprocess.run([*command, *flags], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1 and "nowhere" in result.stderr
    assert ("Traceback" in result.stderr) == debug
    assert debug or len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["predict", "screen", "report", "models", "train", "evaluate"])
def test_help_has_an_example(runner, command):
    assert f"eqtensor {command}" in runner.invoke(app, [command, "--help"]).stdout


def test_prediction_needs_no_extra(tmp_path):
    """Without lightning, plotting, data clients and clusters everything but their commands runs."""
    missing = ("lightning", "plotly", "jinja2", "pandas", "mp_api", "jarvis", "distributed", "ray")
    script = (
        "import sys; sys.modules |= dict.fromkeys(sys.argv[1].split(','))\n"
        "sys.argv = ['eqtensor', *sys.argv[2:]]\n"
        "from ase_eqtensor.commands import main; main()"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", script, ",".join(missing), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    crystal = str(CIFS / "MgO.cif")
    done = run("predict", crystal)
    assert done.returncode == 0 and "mp-1265" in done.stdout, done.stderr
    for extra, command in (
        ("report", ("report", crystal)),
        ("train", ("train", "joint")),
        ("data", ("data", "build")),
        ("fetch", ("data", "fetch", "jarvis", "out.jsonl")),
        ("dask", ("screen", crystal, "out.db", "--backend", "dask")),
    ):
        failed = run(*command)
        assert failed.returncode == 1 and f"ase-eqtensor[{extra}]" in failed.stderr, failed.stderr
