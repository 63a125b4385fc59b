"""A screen knows a crystal by what it is, never its own output, and never two runs at once."""

import pytest
from ase.build import bulk
from ase.db import connect
from ase.io import write
from filelock import FileLock
from typer.testing import CliRunner

import ase_eqtensor.commands.screen as command
from ase_eqtensor import DataError, screen
from ase_eqtensor.commands import app
from ase_eqtensor.files.database import from_row
from ase_eqtensor.screening import fingerprint

MGO, SILICON = bulk("MgO", "rocksalt", a=4.21), bulk("Si")
MODEL = "joint-v8"


def formulas(path) -> list[str]:
    return sorted(row.formula for row in connect(path).select())


@pytest.fixture
def two(tmp_path):
    """Two folders and two databases with different crystals under equal names."""
    for name, atoms in (("a", MGO), ("b", SILICON)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "POSCAR", atoms, format="vasp")
        with connect(tmp_path / name / "mp.db") as db:
            db.write(atoms)
    return tmp_path


@pytest.mark.parametrize("source", ["", "mp.db"])
def test_equal_names_from_two_sources_are_two_crystals(two, source):
    for name in ("a", "b"):
        if not source:
            (two / name / "mp.db").unlink()
        screen(str(two / name / source), two / "out.db", MODEL)
    assert formulas(two / "out.db") == ["MgO", "Si2"]
    again = screen(str(two / "a" / source), two / "out.db", MODEL)
    assert (again.present, again.written) == (2, 0)
    origins = {row.origin for row in connect(two / "out.db").select()}
    assert len(origins) == 2


def test_a_changed_file_is_predicted_again_and_takes_the_place_of_its_row(two):
    source, output = two / "a", two / "out.db"
    (source / "mp.db").unlink()
    screen(source, output, MODEL)
    before = connect(output).get(1)
    write(source / "POSCAR", SILICON, format="vasp")
    assert screen(source, output, MODEL).written == 1
    (row,) = connect(output).select()
    assert row.formula == "Si2" and row.source == before.source
    assert screen(source, output, MODEL).written == 0


def test_the_output_is_not_screened(tmp_path):
    write(tmp_path / "mgo.cif", MGO)
    for _ in range(3):
        report = screen(tmp_path, tmp_path / "tensors.db", MODEL)
        assert report.failures == []
    assert formulas(tmp_path / "tensors.db") == ["Mg4O4"] or formulas(tmp_path / "tensors.db") == [
        "MgO"
    ]
    with pytest.raises(DataError, match="source itself"):
        screen(tmp_path / "tensors.db", tmp_path / "tensors.db", MODEL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mgo.cif", "tensors.db"]


def test_a_second_run_says_that_the_first_holds_the_output(tmp_path):
    write(tmp_path / "mgo.cif", MGO)
    output = tmp_path / "out.db"
    with FileLock(f"{output}.lock"), pytest.raises(DataError, match="another screen.*out.db"):
        screen(tmp_path, output, MODEL)
    assert screen(tmp_path, output, MODEL).written == 1


def test_an_interrupted_command_says_how_to_go_on(tmp_path, monkeypatch):
    def stopped(*args, **options):
        raise KeyboardInterrupt

    write(tmp_path / "mgo.cif", MGO)
    monkeypatch.setattr(command, "run_screen", stopped)
    result = CliRunner().invoke(app, ["screen", str(tmp_path), str(tmp_path / "out.db")])
    assert result.exit_code == 130 and "the same command goes on" in result.stderr


def test_a_fingerprint_survives_a_database_and_knows_changes(tmp_path):
    atoms = MGO.repeat(2)
    atoms.rattle(0.1, seed=1)
    with connect(tmp_path / "a.db") as db:
        db.write(atoms)
        assert fingerprint(from_row(db.get(1))) == fingerprint(atoms)
    changes = (
        lambda a: a.positions.__iadd__(1e-4),
        lambda a: a.set_cell(a.cell * 1.001),
        lambda a: a.numbers.__setitem__(0, 20),
        lambda a: a.set_initial_magnetic_moments([1.0] * len(a)),
    )
    for change in changes:
        other = atoms.copy()
        change(other)
        assert fingerprint(other) != fingerprint(atoms)
