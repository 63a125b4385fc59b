"""ASE finds the calculator through its plugin entry point, and does without where it has none."""

import importlib
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

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


def test_an_ase_without_plugins_is_no_error(monkeypatch):
    import ase_eqtensor.plugin as module

    monkeypatch.setitem(sys.modules, "ase._4.plugins.plugin", None)
    try:
        assert importlib.reload(module).__ase_plugins__ == set()
    finally:
        monkeypatch.undo()
        importlib.reload(module)
