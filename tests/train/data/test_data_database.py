"""The database keeps what was written, and never destroys what is there."""

import csv

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.data.database import build_database, read_database, write_database
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import DATASETS

CUBIC = np.diag([60.0, 60, 60, 30, 30, 30]) / 160.2
CUBIC[:3, :3] += 40 / 160.2


def pair(symbols):
    return Atoms(symbols, scaled_positions=[[0, 0, 0], [0.5] * 3], cell=[4.0] * 3, pbc=True)


def records():
    rng = np.random.default_rng(3)
    arrays = {
        name: {
            column: rng.normal(size=shape) if shape else 7.25
            for column, shape in dataset.columns.items()
        }
        for name, dataset in DATASETS.items()
    }
    crystals = [bulk("NaCl", "rocksalt", a=5.6), pair("NaN"), pair("InF"), bulk("Si"), pair("CsCl")]
    crystals.append(pair("MgO"))
    return [
        Record(atoms, name, "test", f"id-{i}", targets, "doubt: 1" * (i == 1), 0.125 * i)
        for i, (atoms, (name, targets)) in enumerate(zip(crystals, arrays.items(), strict=True))
    ]


class Given(Source):
    name = "given"

    def __init__(self, items):
        self.items = items

    def records(self):
        yield from self.items


def elastic(symbols="NaCl", stiffness=CUBIC, source_id="e"):
    return Record(pair(symbols), "elastic", "test", source_id, {"elasticity_tensor": stiffness})


def test_round_trip(tmp_path):
    written = records()
    write_database(tmp_path / "new" / "a.db", written)
    read = read_database(tmp_path / "new" / "a.db")
    assert len(read) == len(written) == len(DATASETS)
    for a, b in zip(written, read, strict=True):
        same = ("dataset", "source", "source_id", "quarantine", "frame_deviation", "fold", "in_val")
        assert [getattr(a, k) for k in same] == [getattr(b, k) for k in same]
        assert a.reduced_formula == b.reduced_formula
        assert a.atoms == b.atoms
        assert a.targets.keys() == b.targets.keys()
        for key, value in a.targets.items():
            np.testing.assert_array_equal(b.targets[key], value)


def test_ids_that_read_as_numbers(tmp_path):
    write_database(tmp_path / "a.db", [elastic(source_id="12")])
    assert read_database(tmp_path / "a.db")[0].source_id == "12"


def test_read_some_datasets(tmp_path):
    write_database(tmp_path / "a.db", records()[:2])
    (row,) = read_database(tmp_path / "a.db", ["dielectric"])
    assert row.dataset == "dielectric"
    with pytest.raises(DataError, match="moduli"):
        read_database(tmp_path / "a.db", ["elastic", "moduli"])
    with pytest.raises(DataError, match="unknown data set 'elastics'"):
        read_database(tmp_path / "a.db", ["elastics"])


def test_ase_selects_by_value(tmp_path):
    build_database(tmp_path / "a.db", [Given([elastic(), elastic("CsCl", 3 * CUBIC)])])
    with ase.db.connect(tmp_path / "a.db") as db:
        (row,) = db.select("k_vrh_gpa>100", dataset="elastic")
    assert row.formula == "CsCl"


def test_unreadable(tmp_path):
    with pytest.raises(DataError, match="eqtensor data"):
        read_database(tmp_path / "missing.db")
    (tmp_path / "text.db").write_text("not a database, but long enough to look at")
    with pytest.raises(DataError, match="text.db"):
        read_database(tmp_path / "text.db")
    ase.db.connect(tmp_path / "foreign.db").write(bulk("Cu"))
    with pytest.raises(DataError, match="no row"):
        read_database(tmp_path / "foreign.db")


def test_never_overwrites_unasked(tmp_path):
    path = tmp_path / "a.db"
    write_database(path, records())
    with pytest.raises(DataError, match="exists"):
        write_database(path, records()[:1])
    with pytest.raises(DataError, match="exists"):
        build_database(path, [Given([elastic()])])
    assert len(read_database(path)) == len(DATASETS)
    build_database(path, [Given([elastic()])], overwrite=True)
    assert len(read_database(path)) == 1


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.db"
    write_database(path, records())

    def broken():
        yield records()[0]
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        write_database(path, broken(), overwrite=True)
    assert len(read_database(path)) == len(DATASETS)
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]


def test_build_reports_every_problem(tmp_path):
    soft = np.diag([1.0, 1, 1, -1, -1, -1])
    moduli = {"k_vrh_gpa": 70.0, "g_vrh_gpa": 30.0}
    items = [
        elastic(),
        elastic("CsCl", soft, "soft"),
        elastic("LiF", np.eye(3), "small"),
        Rejection("dielectric", "mp-0", "LiF", "unreadable: no numbers"),
        Record(pair("NaCl"), "moduli", "test", "twin", moduli),
        Record(pair("CaO"), "moduli", "test", "single", moduli),
    ]
    report = build_database(tmp_path / "a.db", [Given(items[:3]), Given(items[3:])])
    assert sum(report.rows.values()) == 4
    assert report.rows["elastic", 2] == 1  # NaCl
    assert report.rows["elastic", 3] == 1  # CsCl, quarantined rows stay
    assert report.reasons() == {
        ("elastic", "quarantined", "indefinite stiffness"): 1,
        ("elastic", "rejected", "wrong shape"): 1,
        ("dielectric", "rejected", "unreadable"): 1,
    }
    with (tmp_path / "a_rejected.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["dataset"], r["source_id"], r["formula"], r["action"]) for r in rows] == [
        ("elastic", "soft", "CsCl", "quarantined"),
        ("elastic", "small", "LiF", "rejected"),
        ("dielectric", "mp-0", "LiF", "rejected"),
    ]
    assert rows[2]["reason"] == "unreadable: no numbers"
    stored = {r.source_id: r for r in read_database(tmp_path / "a.db")}
    assert stored["soft"].quarantine == rows[0]["reason"]
    assert not stored["e"].quarantine


def test_nothing_usable(tmp_path):
    with pytest.raises(DataError, match="no usable row"):
        build_database(tmp_path / "a.db", [Given([elastic(stiffness=np.eye(3))])])
    assert not list(tmp_path.iterdir())
