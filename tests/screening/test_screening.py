"""Screening: same rows whatever the workers and interruptions, nothing twice, failures named."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from crystals import CRYSTALS

from ase_eqtensor import EqTensorCalculator, screening
from ase_eqtensor.errors import DataError, MissingExtraError
from ase_eqtensor.files import connect, tensors
from ase_eqtensor.files.collections import open_collection
from ase_eqtensor.files.database import from_row, only_writer
from ase_eqtensor.screening import screen

NAMES = ("quartz", "rutile")


@pytest.fixture
def source(tmp_path):
    """An ASE database of twelve crystals, one of them without a cell."""
    path = tmp_path / "source.db"
    with ase.db.connect(path) as db:
        for i in range(12):
            atoms = CRYSTALS[NAMES[i % 2]].copy()
            atoms.set_cell(atoms.cell * (1 + 0.002 * i), scale_atoms=True)
            db.write(Atoms("H") if i == 7 else atoms, number=i)
    return open_collection(str(path))


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(screening, "SHARD", 4)


def rows(path) -> dict[str, dict[str, np.ndarray]]:
    with connect(path) as db:
        found = [(row.source, tensors(from_row(row))) for row in db.select()]
    assert len(found) == len(dict(found))  # nothing twice
    return dict(found)


def assert_same(one: dict, other: dict) -> None:
    assert list(one) == list(other)
    for label in one:
        for name, value in one[label].items():
            np.testing.assert_allclose(value, other[label][name], rtol=1e-6, atol=1e-8)


def test_rows_are_predictions_and_failures_are_named(source, weights, tmp_path, small_shards):
    report = screen(source, tmp_path / "out.db", str(weights))
    assert (report.present, report.written) == (0, 11)
    (failure,) = report.failures
    assert failure.startswith("source.db#8: ")
    found = rows(tmp_path / "out.db")
    assert list(found) == [f"source.db#{i}" for i in range(1, 13) if i != 8]
    ((_, atoms),) = source.read("source.db#3")
    expected = EqTensorCalculator(weights).predict([atoms])[0]
    for name, value in found["source.db#3"].items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-7)
    with connect(tmp_path / "out.db") as db:
        assert db.get("number=2").source == "source.db#3"  # keys of the source stay


def test_interrupted_runs_go_on(source, weights, tmp_path, small_shards):
    def stop(done, items):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        screen(source, tmp_path / "out.db", str(weights), progress=stop)
    assert len(rows(tmp_path / "out.db")) == 7
    report = screen(source, tmp_path / "out.db", str(weights))
    assert (report.present, report.written, len(report.failures)) == (7, 4, 1)
    screen(source, tmp_path / "whole.db", str(weights))
    assert_same(rows(tmp_path / "out.db"), rows(tmp_path / "whole.db"))


def test_a_mended_crystal_is_added_by_the_next_run(weights, tmp_path):
    folder = tmp_path / "crystals"
    folder.mkdir()
    write(folder / "a.cif", CRYSTALS["rutile"])
    (folder / "b.cif").write_text("data_x\n_cell_length_a none\n")
    write(folder / "c.extxyz", [CRYSTALS["rutile"], Atoms("H"), CRYSTALS["quartz"]])
    collection = open_collection(str(folder))
    first = screen(collection, tmp_path / "out.db", str(weights))
    assert [text.split(":")[0] for text in first.failures] == ["b.cif", "c.extxyz#1"]
    write(folder / "b.cif", CRYSTALS["quartz"])
    second = screen(collection, tmp_path / "out.db", str(weights))
    assert (second.present, second.written, len(second.failures)) == (3, 1, 1)
    assert set(rows(tmp_path / "out.db")) == {"a.cif", "b.cif", "c.extxyz#0", "c.extxyz#2"}


@pytest.mark.parametrize("backend", ["local", "dask", "ray"])
def test_workers_change_nothing(source, weights, tmp_path, small_shards, backend):
    screen(source, tmp_path / "one.db", str(weights))
    screen(source, tmp_path / "two.db", str(weights), workers=2, backend=backend)
    assert_same(rows(tmp_path / "one.db"), rows(tmp_path / "two.db"))


def test_other_outputs_are_refused(source, weights, tmp_path):
    with ase.db.connect(tmp_path / "mine.db") as db:
        db.write(CRYSTALS["rutile"])
    for name, word in (("mine.db", "other origin"), ("out.json", "writes to")):
        with pytest.raises(DataError, match=word):
            screen(source, tmp_path / name, str(weights))
    screen(source, tmp_path / "out.db", str(weights))
    with pytest.raises(DataError, match="was made with"):
        screen(source, tmp_path / "out.db", str(weights), allow_untrained_elements=True)
    with pytest.raises(DataError, match="unknown backend"):
        screen(source, tmp_path / "new.db", str(weights), backend="slurm")


@pytest.mark.parametrize("backend, module", [("dask", "distributed"), ("ray", "ray")])
def test_missing_cluster_libraries_are_named(
    source, weights, tmp_path, monkeypatch, backend, module
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"ase-eqtensor\[{backend}\]"):
        screen(source, tmp_path / "out.db", str(weights), backend=backend)


SCREEN = """
import sys, time
from ase_eqtensor import screening
from ase_eqtensor.files.collections import open_collection
screening.SHARD = 2

def wait(done, items):
    if done >= int(sys.argv[4]):
        time.sleep(600)

if __name__ == "__main__":
    crystals = open_collection(sys.argv[1])
    screening.screen(crystals, sys.argv[2], sys.argv[3], workers=2, progress=wait)
"""


def test_killed_twice_and_resumed(weights, tmp_path):
    """SIGKILL leaves whole shards; the runs after it end with what one run gives."""
    with ase.db.connect(tmp_path / "source.db") as db:
        for i in range(60):
            atoms = CRYSTALS[NAMES[i % 2]].copy()
            atoms.set_cell(atoms.cell * (1 + 0.001 * i), scale_atoms=True)
            db.write(atoms)
    script, output = tmp_path / "screen.py", tmp_path / "out.db"
    script.write_text(SCREEN)
    command = [sys.executable, str(script), str(tmp_path / "source.db"), str(output), str(weights)]
    for part in (1, 20):
        # a run stops at 40 crystals, so that it is not done before it is killed
        process = subprocess.Popen([*command, "40"], stdout=subprocess.PIPE)
        while process.poll() is None and _count(output) < part:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        output_end = process.communicate(timeout=60)  # ends when its workers, too, are gone
        assert process.returncode == -signal.SIGKILL, output_end  # it was killed, not done
        assert part <= _count(output) < 60
    never = "61"
    subprocess.run([*command, never], check=True)
    whole = tmp_path / "whole.db"
    subprocess.run([*command[:3], str(whole), str(weights), never], check=True)
    assert len(rows(output)) == 60
    assert_same(rows(output), rows(whole))


def _count(path: Path) -> int:
    if not path.exists() or not path.stat().st_size:
        return 0
    try:
        with connect(path) as db:
            return db.count()
    except Exception:  # its tables are being made
        return 0


@pytest.mark.skipif("EQTENSOR_POSTGRES" not in os.environ, reason="EQTENSOR_POSTGRES is not set")
def test_postgresql(source, weights, tmp_path, small_shards):
    """EQTENSOR_POSTGRES is the address of an empty database that the test may fill."""
    address = os.environ["EQTENSOR_POSTGRES"]
    report = screen(source, address, str(weights))
    assert report.written == 11
    assert screen(source, address, str(weights)).present == 11
    screen(source, tmp_path / "out.db", str(weights))
    assert_same(rows(address), rows(tmp_path / "out.db"))
    assert len(open_collection(address, "k_vrh_gpa>0").keys()) == 11
    with only_writer(address) as alone:
        assert alone
        with pytest.raises(DataError, match="another screen is writing"):
            screen(source, address, str(weights))
    assert screen(source, address, str(weights)).present == 11
