"""Screening with a partner: the same rows whatever the workers and interruptions."""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from partners import written

from ase_eqtensor import screening
from ase_eqtensor.files import connect
from ase_eqtensor.files.database import from_row
from ase_eqtensor.screening import screen


@pytest.fixture
def source(tmp_path):
    """A folder of nine crystals, one of which the potential does not know, and one that fails."""
    folder = tmp_path / "crystals"
    folder.mkdir()
    for i, symbol in enumerate(("Cu", "Ag", "Au", "Ni", "Pd", "Pt", "Al", "Fe")):
        write(folder / f"{i}.extxyz", bulk(symbol))
    (folder / "9.extxyz").write_text("1\nnothing\n")
    return folder


@pytest.fixture
def partner(tmp_path):
    return written(tmp_path)


def rows(path) -> dict[str, dict]:
    with connect(path) as db:
        found = [(row.source, from_row(row).info["eqtensor"]) for row in db.select()]
    assert len(found) == len(dict(found))
    return {
        source: {k: v for k, v in record["partner"].items() if k != "seconds"}
        | {"scalars": record["scalars"]}
        for source, record in found
    }


def assert_same(one: dict, other: dict) -> None:
    assert list(one) == list(other)
    for source, record in one.items():
        assert record["scalars"] == pytest.approx(other[source]["scalars"], rel=1e-6, nan_ok=True)
        assert record["network_alone"] == other[source]["network_alone"]
        pair = [r.get("stiffness_gpa", 0) for r in (record, other[source])]
        np.testing.assert_allclose(*pair, rtol=1e-6, atol=1e-6)


def test_interrupted_on_two_workers(source, partner, tmp_path, monkeypatch):
    monkeypatch.setattr(screening, "PARTNER_SHARD", 2)

    def stop(done, items):
        if done == 4:
            raise KeyboardInterrupt

    out = tmp_path / "out.db"
    with pytest.raises(KeyboardInterrupt):
        screen(source, out, partner=partner, workers=2, progress=stop)
    assert len(rows(out)) == 4
    report = screen(source, out, partner=partner, workers=2)
    assert (report.present, report.written, len(report.failures)) == (4, 4, 1)
    screen(source, tmp_path / "whole.db", partner=partner)
    whole = rows(tmp_path / "whole.db")
    assert_same(rows(out), whole)
    assert "NotImplementedError" in whole["7.extxyz"]["network_alone"]["elasticity_tensor"]
    assert whole["0.extxyz"]["converged"]


def test_other_partners_are_another_screen(source, partner, tmp_path):
    screen(source, tmp_path / "out.db")
    with pytest.raises(screening.DataError, match="was made with"):
        screen(source, tmp_path / "out.db", partner=partner)
