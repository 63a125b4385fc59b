"""What users have in files stays, results are seen before they are written, names are whole."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import read, write
from typer.testing import CliRunner

from ase_eqtensor.commands import app

MAGNESIA, SILICON = bulk("MgO", "rocksalt", a=4.21), bulk("Si")
TENSOR = np.eye(3) * 9.8


@pytest.fixture
def run(monkeypatch, tmp_path, weights):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [*arguments, "--model", str(weights)])


@pytest.mark.parametrize("suffix", ["extxyz", "traj", "db", "json"])
def test_a_tensor_of_another_calculator_is_kept_and_told_of(run, suffix):
    atoms = MAGNESIA.copy()
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0, dielectric_tensor=TENSOR)
    write("dft.extxyz", atoms)
    result = run("predict", "dft.extxyz", "-o", f"out.{suffix}")
    assert result.exit_code == 0 and "given_dielectric_tensor" in result.stderr
    again = read(f"out.{suffix}")
    info = connect("out." + suffix).get(1).data["info"] if suffix in ("db", "json") else again.info
    np.testing.assert_allclose(info["given_dielectric_tensor"], TENSOR)
    assert again.get_potential_energy() == -1.0
    twice = run("predict", f"out.{suffix}", "-o", "twice.extxyz")
    assert "kept as" not in twice.stderr  # what was predicted before is replaced
    np.testing.assert_allclose(read("twice.extxyz").info["given_dielectric_tensor"], TENSOR)


def test_rows_keep_their_data_and_keys(run):
    with connect("s.db") as db:
        db.write(MAGNESIA, source="me", origin="lab", k_vrh_gpa=1.0,
                 data={"dielectric_tensor": TENSOR, "eqtensor": 5})  # fmt: skip
        db.write(SILICON, data={"dielectric_tensor": "see the paper"})
    result = run("screen", "s.db", "o.db")
    assert result.exit_code == 0 and result.stderr.count("given_dielectric_tensor") == 1
    first, second = connect("o.db").select()
    assert (first.given_source, first.given_origin, first.given_k_vrh_gpa) == ("me", "lab", 1.0)
    np.testing.assert_allclose(first.data["info"]["given_dielectric_tensor"], TENSOR)
    assert first.data["info"]["given_eqtensor"] == 5
    assert second.data["info"]["given_dielectric_tensor"] == "see the paper"
    again = run("predict", "o.db", "-o", "p.db")
    assert again.exit_code == 0 and "kept as" not in again.stderr
    keys = connect("p.db").get(1).key_value_pairs
    assert {key for key in keys if key.startswith("given_")} == {
        "given_source", "given_origin", "given_k_vrh_gpa"}  # fmt: skip


def test_values_of_comment_lines_are_stored(run):
    os.mkdir("m")
    atoms = MAGNESIA.copy()
    atoms.info |= {"step": 3, "flag": True, "field": np.float32(0.5), "names": np.array(["a", "b"])}
    write("m/md.extxyz", atoms)
    write("m/si.vasp", SILICON)
    assert run("screen", "m", "o.db").exit_code == 0
    assert run("predict", "m/md.extxyz", "m/si.vasp", "-o", "p.db").exit_code == 0
    for name in ("o.db", "p.db"):
        info = connect(name).get("source=md.extxyz" if name == "o.db" else 1).data["info"]
        assert info["step"] == 3 and info["flag"] and info["names"] == ["a", "b"]


def test_a_crystal_that_cannot_be_stored_costs_itself_only(run):
    write("good.vasp", SILICON)
    odd = MAGNESIA.copy()
    odd.info["key_value_pairs"] = {"no key of a database!": 1}
    write("odd.extxyz", odd)
    result = run("predict", "odd.extxyz", "good.vasp", "-o", "p.db")
    assert result.exit_code == 3 and "odd.extxyz" in result.stderr and "good" in result.stdout
    assert connect("p.db").count() == 1
    with open("list.txt", "w") as file:
        file.write("odd.extxyz\ngood.vasp\n")
    result = run("screen", "list.txt", "o.db")
    assert result.exit_code == 3 and "odd.extxyz" in result.stderr
    assert connect("o.db").count() == 1


def test_a_value_in_the_place_of_keys_is_kept(run):
    atoms = MAGNESIA.copy()
    atoms.info["key_value_pairs"] = 3
    write("odd.extxyz", atoms)
    result = run("predict", "odd.extxyz", "-o", "p.db")
    assert result.exit_code == 0 and "given_key_value_pairs" in result.stderr
    assert connect("p.db").get(1).data["info"]["given_key_value_pairs"] == 3


def test_results_are_shown_before_they_are_written(tmp_path, weights):
    write(tmp_path / "si.vasp", SILICON)
    command = [sys.executable, "-m", "ase_eqtensor", "predict", "si.vasp", "-o", "o.db", "--csv"]
    limit = (20_000, 20_000)
    result = subprocess.run(
        [*command, "--model", str(weights)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert result.returncode == 1 and "si.vasp" in result.stdout
    assert "o.db: cannot be written" in result.stderr and not (tmp_path / "o.db").exists()


def test_a_place_that_cannot_be_written_is_found_before_the_work(run):
    write("si.vasp", SILICON)
    os.mkdir("o.db")
    open("file", "w").close()
    for place in ("o.db", "file/x.db", "nowhere/x.db", "/proc/x.db"):
        result = run("predict", "si.vasp", "-o", place, "--overwrite")
        assert result.exit_code == 1 and not result.stdout and place in str(result.exception)


def test_names_of_crystals_are_whole_at_80_columns(run):
    names = ["mp-1265_conventional.vasp", "mp-1265_primitive.vasp", "[a]" + "x" * 90 + ".vasp"]
    os.mkdir("twin")
    for name in (*names, "twin/" + names[0]):
        write(name, MAGNESIA, format="vasp")
    lines = run("predict", *names).stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert all(name in "".join(lines) for name in names)
    assert sum("[" in line and ", " in line for line in lines) == 0  # of a model without intervals
    twins = run("predict", names[0], "twin/" + names[0]).stdout
    assert "twin/" + names[0] in twins


def test_intervals_are_on_one_line_and_flags_have_a_legend(run):
    write("al.vasp", bulk("Al"))
    result = CliRunner().invoke(app, ["predict", "al.vasp"])
    assert "LM: likely_metal" in result.stdout
    numbers = next(line for line in result.stdout.splitlines() if "[" in line)
    assert numbers.count("[") == numbers.count("]") == 4


def test_a_report_on_a_trajectory_is_about_its_last_frame(run):
    frames = [bulk("MgO", "rocksalt", a=a) for a in (4.8, 4.21)]
    write("relax.traj", frames)
    write("last.traj", frames[-1:])
    told = run("report", "relax.traj", "-o", "a.html")
    assert (
        told.exit_code == 0 and told.stderr == "relax.traj: 2 frames, the page is about the last\n"
    )
    assert run("report", "last.traj", "-o", "b.html").stderr == ""
    with open("a.html", encoding="utf-8") as a, open("b.html", encoding="utf-8") as b:
        first, second = a.read(), b.read()
    assert f"{frames[-1].get_volume():.2f}" in first and len(first) == len(second)
