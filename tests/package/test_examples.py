"""The example scripts run as shipped and print or write what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from ase.db import connect
from ase.io import read
from places import EXAMPLES

from ase_eqtensor import load_model


def run(script: str, folder: Path, *arguments: str) -> str:
    """Standard output of an example, run in an empty folder."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / script), *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_one_crystal_prints_both_tensors(tmp_path):
    text = run("one_crystal.py", tmp_path)
    assert "dielectric tensor (electronic + ionic)" in text and "GPa" in text
    numbers = [line for line in text.splitlines() if line.strip(" []-")[:1].isdigit()]
    assert len(numbers) == 3 + 3 + 6


def test_example_crystal_is_new_to_the_model():
    text = run("one_crystal.py", EXAMPLES)
    assert "CaWO4.cif" in text and "in the training data" not in text
    assert load_model().seen(read(EXAMPLES / "crystals" / "CaWO4.cif")) == []


def test_training_crystals_are_named(tmp_path):
    text = run("one_crystal.py", tmp_path, str(EXAMPLES / "crystals" / "CaF2.cif"))
    assert "in the training data: mp-2741, same structure" in text


def test_tutorial(tmp_path):
    text = run("tutorial.py", tmp_path)
    assert "flags: ('unlike_training_data',) seen in training: []" in text and "O4Ti2: K = " in text
    assert connect(tmp_path / "tutorial.db").count("k_vrh_gpa>0") == 6


def test_cifs_to_database(tmp_path):
    run("cifs_to_database.py", tmp_path, "out.db")
    rows = list(connect(tmp_path / "out.db").select())
    expected = {"Al2N2", "Ca4F8", "Ca4W4O16", "Ga2N2", "Mg4O4", "Ti2O4"}
    assert {row.formula for row in rows} == expected
    for row in rows:
        assert row.k_vrh_gpa > 0 and np.shape(row.data["elasticity_tensor"]) == (6, 6)
        assert row.data["record"]["model"]
    assert len(list(connect(tmp_path / "out.db").select("k_vrh_gpa>0"))) == len(rows)


def test_fit_your_own(tmp_path):
    text = run("fit_your_own.py", tmp_path)
    assert text.count("first principles") == 8 and "safetensors" in text


def test_sound_and_light(tmp_path):
    text = run("sound_and_light.py", tmp_path)
    assert "optic sign +1" in text  # as rutile is
    assert "hardness_gpa" in text and "*ELASTIC, TYPE=ANISOTROPIC" in text
