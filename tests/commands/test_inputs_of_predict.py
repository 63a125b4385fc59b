"""What `eqtensor predict` takes: folders, standard input; and what it says of wrong inputs."""

import io
import re
import shutil
import subprocess
import sys

import pytest
from ase.build import bulk, fcc111, molecule
from ase.io import read, write
from places import CIFS
from typer.testing import CliRunner

from ase_eqtensor.commands import app
from ase_eqtensor.commands.app import with_options
from ase_eqtensor.errors import counted
from ase_eqtensor.files.reading import read_crystals

MGO = str(CIFS / "MgO.cif")


@pytest.fixture
def run(monkeypatch, tmp_path, weights):
    """Runs a command in an empty folder; a small model predicts."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **options):
        model = ["--model", str(weights)] if arguments[0] in ("predict", "screen") else []
        return CliRunner().invoke(app, [*arguments, *model], **options)

    return run


def test_folder(run, tmp_path):
    folder = tmp_path / "cifs"
    (folder / "inner").mkdir(parents=True)
    shutil.copy(MGO, folder / "b.cif")
    shutil.copy(MGO, folder / "inner" / "a.cif")
    write(folder / "c.vasp", read(MGO), format="vasp")
    for name in ("README.md", "list.csv", "script.py", ".hidden.cif", "card.json", "POSCAR.html"):
        (folder / name).write_text('{"a": 1}')
    done = run("predict", "cifs", "--csv")
    assert done.exit_code == 0, done.stderr
    sources = [line.split(",")[0] for line in done.stdout.splitlines()[1:]]
    assert sources == ["cifs/b.cif", "cifs/c.vasp", "cifs/inner/a.cif"]
    told = "cifs/POSCAR.html, cifs/README.md, cifs/card.json, cifs/list.csv, cifs/script.py"
    assert f"skipped 5 files in no format of crystals: {told}" in done.stderr
    done = run("predict", "cifs", "--csv", "--pattern", "b.*")
    assert len(done.stdout.splitlines()) == 2 and "skipped" not in done.stderr
    for _ in range(2):  # what the first run wrote is not read by the second
        done = run("predict", "cifs", "--csv", "-o", "cifs/out.db", "--overwrite")
        assert len(done.stdout.splitlines()) == 4
    (folder / "out.db").unlink()
    (folder / "broken.cif").write_text("data_x\n_cell_length_a none\n")
    done = run("predict", "cifs", "--csv")
    assert done.exit_code == 3 and "cifs/broken.cif: cannot be read" in done.stderr


@pytest.mark.parametrize(
    "names, pattern, told",
    [
        ([], "*", "there is no file in this folder"),
        (["a.txt"], "*", "1 file in this folder, none in a format that ASE reads"),
        (["a.txt", "b.txt"], "*", "2 files in this folder, none"),
        (["a.txt"], "*.cif", "no file in this folder matches '*.cif'"),
    ],
)
def test_folder_without_crystals(run, tmp_path, names, pattern, told):
    (tmp_path / "folder").mkdir()
    for name in names:
        (tmp_path / "folder" / name).write_text("text")
    done = run("predict", "folder", "--pattern", pattern)
    assert done.exit_code == 1 and told in str(done.exception)


@pytest.mark.parametrize("kind", ["cif", "vasp", "extxyz", "json", "db"])
def test_standard_input(kind, tmp_path, monkeypatch):
    atoms = bulk("MgO", "rocksalt", a=4.21)
    write(tmp_path / f"a.{kind}", atoms)
    piped = io.TextIOWrapper(io.BytesIO((tmp_path / f"a.{kind}").read_bytes()))
    monkeypatch.setattr(sys, "stdin", piped)
    (found,) = read_crystals("-")
    assert found.get_volume() == pytest.approx(atoms.get_volume(), rel=1e-5)
    assert sorted(found.numbers) == [8, 12] and found.pbc.all()


def test_standard_input_of_the_command(run):
    content = (CIFS / "MgO.cif").read_bytes()
    done = run("predict", "-", "--csv", input=content)
    assert done.exit_code == 0 and done.stdout.splitlines()[1].startswith("-,MgO,")
    done = run("predict", "-", input=b"no crystal")
    assert done.exit_code == 1 and "convert it to CIF" in done.stderr


def test_messages_say_what_helps_on_the_command_line(run, tmp_path):
    write(tmp_path / "TcCl.cif", bulk("TcCl", "rocksalt", a=5.0))
    write(tmp_path / "h2o.xyz", molecule("H2O"))
    write(tmp_path / "slab.extxyz", fcc111("Al", (1, 1, 3), vacuum=8))
    (tmp_path / "there.db").write_text("")

    def told(*arguments: str) -> str:
        done = run("predict", *arguments)
        assert done.exit_code == 1
        return done.stderr + with_options(str(done.exception or ""))

    assert "TcCl.cif: TcCl: Cl does not occur" in (text := told("TcCl.cif"))
    assert "--allow-untrained-elements" in text and "True" not in text
    assert "no direction" in (text := told("h2o.xyz")) and 'Lattice="..."' in text
    assert "a and b only" in (text := told("slab.extxyz")) and 'pbc="T T T"' in text
    assert "pass --overwrite to replace" in told(MGO, "-o", "there.db")
    assert "--symprec 0.0: choose a length" in told(MGO, "--symprec", "0")
    assert "--workers 0: choose a number" in told(MGO, "--workers", "0")
    assert "did you mean 'elasticity'?" in told(MGO, "--quantities", "elastisity")
    unknown = CliRunner().invoke(app, ["predict", MGO, "--model", "joint8"])
    assert "did you mean 'joint-v8'?" in str(unknown.exception)
    missing = CliRunner().invoke(app, ["predict", MGO, "--model", "mine.safetensors"])
    assert "there is no file mine.safetensors" in str(missing.exception)


def test_screen_leaves_nothing_behind_when_it_cannot_start(run, tmp_path):
    for options in (["--workers", "0"], ["--backend", "slurm"], ["--address", "tcp://a:1"]):
        assert run("screen", MGO, "out.db", *options).exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == []
    assert "1 crystal written" in run("screen", MGO, "out.db").stdout  # a file, no list of files
    missing = run("screen", "out.db", "more.db", "--select", "natoms>99")
    assert "no row matches 'natoms>99'" in str(missing.exception)


def test_one_line_in_a_terminal_names_options(tmp_path):
    command = [sys.executable, "-m", "ase_eqtensor", "predict", MGO, "--dtype", "half"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.stderr.startswith("eqtensor: --dtype 'half': choose") and result.returncode == 1


def test_refused_columns_have_their_reason_below(run, tmp_path):
    write(tmp_path / "TcCl.cif", bulk("TcCl", "rocksalt", a=5.0))
    done = CliRunner().invoke(app, ["predict", "TcCl.cif"])
    assert done.exit_code == 0 and "refused, TcCl.cif: TcCl: Tc does not occur" in done.stdout


def test_options_and_plurals():
    two = with_options("level='x y' and prefer_known=True: no")
    assert two == "--level 'x y' and --prefer-known: no"
    assert with_options("model='a', symprec=1e-3; K=3") == "--model 'a', --symprec 1e-3; K=3"
    assert counted(1, "crystal") == "1 crystal" and counted(0, "crystal") == "0 crystals"
    assert counted(2, "axis", "axes") == "2 axes"


def test_a_narrow_terminal_breaks_between_numbers(run, tmp_path, monkeypatch):
    write(tmp_path / "zns.cif", bulk("ZnS", "zincblende", a=5.41))
    wide = run("predict", "zns.cif", MGO).stdout
    for width in (80, 60, 40):
        monkeypatch.setenv("COLUMNS", str(width))
        text = run("predict", "zns.cif", MGO).stdout
        assert all(len(line) <= width for line in text.splitlines())
        for number in re.findall(r"[\d.]+ \[[\d.]+, [\d.]+\]", wide):
            assert number in text  # whole, on one line
