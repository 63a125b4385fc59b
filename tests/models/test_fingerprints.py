"""How far crystals are from those that a network learnt from."""

import numpy as np
import pytest

from ase_eqtensor.models.fingerprints import NEAREST, Fingerprints

CRYSTALS, MEMBERS, CHANNELS = 60, 2, 24


@pytest.fixture(scope="module")
def invariants():
    rng = np.random.default_rng(0)
    return rng.normal(size=(MEMBERS, CRYSTALS, CHANNELS)) * rng.uniform(0.1, 10, CHANNELS)


@pytest.fixture(scope="module")
def fingerprints(invariants):
    learnt = np.ones((CRYSTALS, MEMBERS), dtype=bool)
    learnt[:20, 1] = False
    teaches = {"a": np.arange(CRYSTALS) < 40, "b": np.arange(CRYSTALS) >= 30}
    return Fingerprints.of(invariants, learnt, teaches)


def test_far_is_farther_than_near(fingerprints, invariants):
    near = invariants[:, 30:35] + 1e-3
    far = invariants[:, 30:35] + 100
    for name in ("a", "b"):
        assert (fingerprints.distances(far)[name] > fingerprints.distances(near)[name] + 1).all()


def test_the_order_of_channels_does_not_matter(fingerprints, invariants):
    again = Fingerprints.of(invariants[..., ::-1], fingerprints.learnt, fingerprints.teaches)
    asked = invariants[:, :7] + 0.3
    for name, expected in fingerprints.distances(asked).items():
        np.testing.assert_allclose(again.distances(asked[..., ::-1])[name], expected, rtol=1e-8)


def test_only_crystals_that_a_member_learnt_from_count(fingerprints, invariants):
    """Member 1 knows none of the first 20, so they are no neighbours of themselves to it."""
    own = [fingerprints.select([m]).distances(invariants[m : m + 1, :20])["a"] for m in (0, 1)]
    assert (own[0] < own[1]).all()
    together = fingerprints.distances(invariants[:, :20])["a"]
    np.testing.assert_allclose(together, np.mean(own, axis=0))


def test_distance_is_the_mean_over_the_nearest(fingerprints, invariants):
    asked = invariants[:, :3] + 0.5
    member = fingerprints.select([0])
    point = member._project(asked[:1])[:, 0]
    known = member.values[member.teaches["b"] & member.learnt[:, 0], 0]
    distance = np.sort(np.linalg.norm(point[:, None] - known, axis=2), axis=1)[:, :NEAREST].mean(1)
    np.testing.assert_allclose(member.distances(asked[:1])["b"], np.log(distance), rtol=1e-6)


def test_files(fingerprints, invariants, tmp_path):
    fingerprints.save(tmp_path / "a.fingerprints.npz")
    again = Fingerprints.load(tmp_path / "a.fingerprints.npz")
    asked = invariants[:, :9] + 0.2
    for name, expected in fingerprints.distances(asked).items():
        np.testing.assert_allclose(again.distances(asked)[name], expected, atol=2e-3)
