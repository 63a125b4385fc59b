"""What a piezoelectric tensor of unknown frame may stand for."""

import numpy as np
import pytest
from ase.build import bulk
from crystals import crystal_of_point_group
from equivariance import orthogonal, turned

from ase_eqtensor.analysis import ieee_rotation
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.train.frames.readings import CUBE, HEXAGON, readings

GROUPS = ("222", "mm2", "-4", "-42m", "32", "3m", "6mm", "-6m2", "23", "-43m", "m", "2")


def invariant(group: np.ndarray, seed: int = 0) -> np.ndarray:
    """A tensor (3, 6; Voigt) that a point group allows."""
    return PIEZOELECTRIC.project(np.random.default_rng(seed).normal(size=(3, 6)), group)


@pytest.mark.parametrize("symbol", GROUPS)
def test_what_was_written_in_ieee_axes_is_read_first(symbol):
    atoms, group = crystal_of_point_group(symbol)
    true = invariant(group)
    written = PIEZOELECTRIC.rotate(true, ieee_rotation(atoms))
    found = readings(atoms, written)
    np.testing.assert_allclose(found[0].tensor, PIEZOELECTRIC.from_ase(true), atol=1e-6)
    for rotation, tensor in found:
        np.testing.assert_allclose(
            PIEZOELECTRIC.form.rotate(tensor, group),
            np.broadcast_to(tensor, (len(group), 3, 6)),
            atol=1e-6,
        )
        again = PIEZOELECTRIC.form.rotate(PIEZOELECTRIC.from_ase(written), rotation)
        np.testing.assert_allclose(again, tensor, atol=1e-6)
        assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize("symbol", GROUPS)
def test_what_was_written_in_the_frame_of_the_atoms_is_read_too(symbol):
    atoms, group = crystal_of_point_group(symbol)
    true = PIEZOELECTRIC.from_ase(invariant(group, 1))
    found = readings(atoms, PIEZOELECTRIC.to_ase(true))
    assert min(np.abs(reading.tensor - true).max() for reading in found) < 1e-6


def test_the_sign_of_zincblende_is_open_and_nothing_else():
    atoms = turned(bulk("ZnS", "zincblende", a=5.4), orthogonal(3))
    written = np.zeros((3, 6))
    written[0, 3] = written[1, 4] = written[2, 5] = 0.1
    found = readings(atoms, written)
    assert len(found) == 2
    np.testing.assert_allclose(found[0].tensor, -found[1].tensor, atol=1e-9)


def test_a_tensor_that_fits_no_frame_has_no_reading():
    atoms = bulk("ZnS", "zincblende", a=5.4)
    assert readings(atoms, np.random.default_rng(1).normal(size=(3, 6))) == []
    assert readings(bulk("NaCl", "rocksalt", a=5.6), np.full((3, 6), 0.5)) == []


def test_turns_are_groups_of_proper_rotations():
    for turns in (CUBE, HEXAGON):
        assert len(turns) == 24 and np.allclose(turns[0], np.eye(3))
        for a in turns:
            assert np.linalg.det(a) == pytest.approx(1)
            for b in turns:
                assert any(np.allclose(a @ b, c) for c in turns)
