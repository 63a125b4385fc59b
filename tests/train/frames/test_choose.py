"""Frames of made-up rows whose tensors follow from electronegativities."""

import numpy as np
import pytest
from ase.build import bulk
from ase.data import atomic_numbers

from ase_eqtensor.crystal.periodic_table import electronegativities
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.train.data.sources.frames import read_frames, write_frames
from ase_eqtensor.train.frames import choose
from ase_eqtensor.train.frames.bonds import Bonds
from ase_eqtensor.train.frames.choose import Case, expected, remaining
from ase_eqtensor.train.frames.readings import readings
from ase_eqtensor.train.record import Record

PAIRS = [a + b for a in ("Zn", "Cd", "Mg", "Be") for b in ("O", "S", "Se", "Te")]


def case(pair: str, kind: str, sign: float) -> Case:
    """A crystal whose anion follows the strain, and whose tensor is its charge times that; written
    with the wrong sign where `sign` is -1, which turns a zincblende crystal by 90 degrees."""
    atoms = bulk(pair, kind, a=5.0 if kind == "zincblende" else 3.6)
    group = analyse(atoms).rotations
    form = PIEZOELECTRIC.form
    follows = form.group_averages(np.ones((1, 3, 6)), [group])[0]
    metal = np.array([atomic_numbers[pair[:2]] == z for z in atoms.numbers])
    strain = (np.where(metal, 0.0, -1.0)[:, None, None] * follows).reshape(-1, 6)
    apart = np.ptp(electronegativities(atoms.numbers))
    true = apart * metal.sum() * follows / atoms.get_volume()
    written = PIEZOELECTRIC.to_ase(sign * true)
    record = Record(atoms, "piezoelectric", "test", f"{kind}-{pair}", {PIEZOELECTRIC.name: written})
    point_group = analyse(atoms).point_group
    return Case(record, point_group, readings(atoms, written), Bonds.of(atoms, strain))


@pytest.fixture(scope="module")
def rows():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose, "PASSES", 1)
        patch.setattr(choose, "PARTS", 2)
        signs = np.random.default_rng(0).choice([1.0, -1.0], len(PAIRS))
        cases = [case(pair, "zincblende", sign) for pair, sign in zip(PAIRS, signs)]
        cases += [case(pair, "wurtzite", 1.0) for pair in PAIRS]
        tensors = expected(cases)
        yield signs, cases, tensors, [remaining(c, t) for c, t in zip(cases, tensors)]


def test_signs_are_found_in_other_compositions(rows):
    signs, cases, _, found = rows
    right = []
    for sign, one, row in zip(signs, cases, found):
        assert one.point_group == "-43m" and len(one.readings) == 2
        read = PIEZOELECTRIC.form.rotate(
            PIEZOELECTRIC.from_ase(one.record.targets[PIEZOELECTRIC.name]), row.frames[0].rotation
        )
        written = PIEZOELECTRIC.from_ase(one.record.targets[PIEZOELECTRIC.name])
        right.append(np.sign((read * written).sum()) == sign)
    assert np.mean(right) >= 0.8  # chance is a half


def test_the_first_reading_of_a_wurtzite_is_right(rows):
    _, cases, _, found = rows
    for one, row in zip(cases[len(PAIRS) :], found[len(PAIRS) :]):
        assert one.point_group == "6mm" and len(row.frames) == 1
        np.testing.assert_allclose(row.frames[0].rotation, one.readings[0].rotation)


def test_readings_that_fit_as_well_all_remain(rows):
    _, cases, *_ = rows
    row = remaining(cases[0], np.zeros((3, 6)))
    assert [frame.behind for frame in row.frames] == pytest.approx([0, 0])
    unknown = remaining(cases[0], None)
    assert len(unknown.frames) == 2 and np.isnan(unknown.frames[0].behind)


def test_files_keep_them(rows, tmp_path):
    *_, found = rows
    path = tmp_path / "frames.csv"
    write_frames(path, found)
    again = read_frames(path)
    assert list(again) == [row.id for row in found]
    for row in found:
        for before, after in zip(row.frames, again[row.id], strict=True):
            np.testing.assert_allclose(before.rotation, after.rotation, atol=1e-5)
            assert after.behind == pytest.approx(before.behind, abs=0.006)
