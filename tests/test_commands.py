"""`eqtensor predict`: tables and JSON with error bars, broken files named, exit codes."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.commands import app

CRYSTALS = Path(__file__).parents[1] / "examples" / "crystals"


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    return CliRunner()


def test_table(runner):
    paths = [str(CRYSTALS / f"{name}.cif") for name in ("CaF2", "CaWO4")]
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
    path = CRYSTALS / "CaF2.cif"
    result = runner.invoke(app, ["predict", "--json", str(path)])
    (one,) = json.loads(result.stdout)
    expected = EqTensorCalculator().get_property("elasticity_tensor", read(path))
    np.testing.assert_allclose(one["tensors"]["elasticity_tensor"], expected, rtol=1e-6)
    assert one["model"] and one["uncertainty"]["elasticity_tensor"]["relative_error"]["0.9"] > 0
    match = next(known for known in one["seen"] if known["same_structure"])
    assert match["source_id"] == "mp-2741" and np.shape(match["tensors"]["elasticity_tensor"]) == (
        6,
        6,
    )


def test_broken_files_do_not_stop_the_others(runner, tmp_path):
    broken = tmp_path / "broken.cif"
    broken.write_text("data_x\n_cell_length_a none\n")
    result = runner.invoke(
        app, ["predict", str(broken), str(tmp_path / "missing.cif"), str(CRYSTALS / "CaF2.cif")]
    )
    assert result.exit_code == 1
    assert "broken.cif" in result.stderr and "missing.cif" in result.stderr
    assert "Traceback" not in result.output and "CaF2.cif" in result.stdout
