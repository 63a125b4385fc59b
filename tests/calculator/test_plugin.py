"""ASE finds the calculator through its plugin entry point, and does without where it has none."""

import importlib
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from places import CIFS

from ase_eqtensor import EqTensorCalculator


def test_entry_point_gives_the_calculator():
    pytest.importorskip("ase._4.plugins.plugin", reason="this ASE has no plugins")
    (entry,) = (e for e in entry_points(group="ase.plugins") if e.name == "eqtensor")
    (plugin,) = entry.load().__ase_plugins__
    assert plugin() is EqTensorCalculator


def test_ase_lists_it(tmp_path):
    pytest.importorskip("ase._4.plugins.plugin", reason="this ASE has no plugins")
    command = [sys.executable, "-m", "ase", "info", "--plugins"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "eqtensor" in result.stdout


LOOKUP = """
from ase.calculators.calculator import external_calculators, get_calculator_class
import ase_eqtensor
assert "eqtensor" not in external_calculators, "importing the package registers nothing"
from ase._4.plugins import plugins
assert [plugin() for plugin in plugins.calculators] == [ase_eqtensor.EqTensorCalculator]
assert get_calculator_class("eqtensor") is ase_eqtensor.EqTensorCalculator
from ase.cli.main import main
printed = "print('K', round(atoms.calc.prediction.scalars['k_vrh_gpa']))"
after = "atoms.get_property('elasticity_tensor'); " + printed
main(args=["run", "eqtensor", CRYSTAL, "--after", after])
"""


def test_ase_knows_the_name_once_it_has_loaded_its_plugins(tmp_path):
    pytest.importorskip("ase._4.plugins.plugin", reason="this ASE has no plugins")
    script = LOOKUP.replace("CRYSTAL", repr(str(CIFS / "MgO.cif")))
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout.startswith("K 1"), result.stderr


def test_an_ase_without_plugins_is_no_error(monkeypatch):
    import ase_eqtensor.plugin as module

    monkeypatch.setitem(sys.modules, "ase._4.plugins.plugin", None)
    try:
        assert importlib.reload(module).__ase_plugins__ == set()
    finally:
        monkeypatch.undo()
        importlib.reload(module)
