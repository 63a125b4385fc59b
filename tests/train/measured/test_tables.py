"""Measured values of crystals."""

import numpy as np
import pytest
from ase.build import bulk

from ase_eqtensor.train.measured.tables import Measurement, dielectric, elastic
from ase_eqtensor.train.record import Record

TABLE = """material_id,eps_total_exp,n_exp
mp-1,"8.0,11.0",1.5
mp-2,,2.0
mp-3,9.0,
"""


def record(atoms, name="mp-1"):
    return Record(atoms, "elastic", "test", name, {})


def test_moduli_follow_from_the_constants():
    found = {(m.formula, m.scalar): m.value(None) for m in elastic()}
    assert found["Cu", "k_vrh_gpa"] == pytest.approx((168.4 + 2 * 121.4) / 3)
    assert found["W", "g_vrh_gpa"] == pytest.approx(160, abs=1)  # nearly isotropic
    assert len(found) == 2 * len({formula for formula, _ in found}) > 100


def test_crystals_are_told_by_formula_and_space_group():
    copper = next(m for m in elastic() if m.formula == "Cu")
    assert copper.is_of(record(bulk("Cu")))
    assert not copper.is_of(record(bulk("Cu", "bcc", a=2.9)))
    assert not copper.is_of(record(bulk("Ag")))
    assert not copper.is_of(record(bulk("Cu"), "mp-1@0.95"))  # a strained copy


def test_a_table_of_permittivities(tmp_path):
    (tmp_path / "a.csv").write_text(TABLE)
    found = [(m.source_id, m.scalar, m.values) for m in dielectric(tmp_path / "a.csv")]
    assert found == [
        ("mp-1", "eps_total", (8.0, 11.0)),
        ("mp-1", "eps_inf", (2.25,)),
        ("mp-1", "refractive_index", (1.5,)),
        ("mp-2", "eps_inf", (4.0,)),
        ("mp-2", "refractive_index", (2.0,)),
        ("mp-3", "eps_total", (9.0,)),
    ]


def test_the_tensor_tells_which_of_two_values_is_twice_there():
    pair = Measurement("dielectric_tensor", "eps_total", "mp-1", "", 0, (8.0, 11.0))
    assert pair.value(np.diag([7.0, 7.1, 12.0])) == pytest.approx(9)
    assert pair.value(np.diag([7.0, 12.0, 12.1])) == pytest.approx(10)
    assert pair._replace(values=(8.0, 9.0, 13.0)).value(np.eye(3)) == 10
