"""Refraction of known crystals: their birefringence, sign and optic axes."""

import numpy as np
import pytest
from equivariance import orthogonal

from ase_eqtensor.tensors.optics import Optics, wave_indices


def crystal(*indices: float) -> np.ndarray:
    """Permittivity of a crystal in a frame that is not that of its axes."""
    return orthogonal(5) @ np.diag(np.square(indices)) @ orthogonal(5).T


# sodium light; W. A. Deer, R. A. Howie, J. Zussman, Rock-Forming Minerals: calcite, quartz,
# aragonite (2V 18 degrees, negative), topaz (2V 48 to 68, positive)
@pytest.mark.parametrize(
    "indices, birefringence, sign, two_v",
    [
        ((1.486, 1.658, 1.658), 0.172, -1, 0.0),
        ((1.544, 1.544, 1.553), 0.009, 1, 0.0),
        ((1.530, 1.681, 1.685), 0.155, -1, 18.0),
        ((1.612, 1.615, 1.622), 0.010, 1, 66.0),
    ],
    ids=["calcite", "quartz", "aragonite", "topaz"],
)
def test_minerals(indices, birefringence, sign, two_v):
    optics = Optics.of(crystal(*indices))
    np.testing.assert_allclose(optics.indices, indices)
    assert optics.birefringence == pytest.approx(birefringence)
    assert optics.sign == sign
    assert optics.two_v == pytest.approx(two_v, abs=1.0)


def test_light_along_an_optic_axis_does_not_split():
    permittivity = crystal(1.5, 1.6, 1.8)
    optics = Optics.of(permittivity)
    waves = wave_indices(permittivity, optics.optic_axes)
    np.testing.assert_allclose(waves, 1.6, atol=1e-9)
    acute = np.degrees(np.arccos(abs(optics.optic_axes[0] @ optics.optic_axes[1])))
    assert acute == pytest.approx(optics.two_v)
    along = wave_indices(permittivity, optics.axes)
    np.testing.assert_allclose(along, [[1.6, 1.8], [1.5, 1.8], [1.5, 1.6]])
    elsewhere = wave_indices(permittivity, np.random.default_rng(0).normal(size=(500, 3)))
    assert (np.diff(elsewhere)[:, 0] <= optics.birefringence).all()


def test_crystals_turn_with_their_axes_and_go_in_batches():
    permittivity, q = crystal(1.5, 1.6, 1.8), orthogonal(8)
    both = Optics.of(np.stack([permittivity, q @ permittivity @ q.T]))
    np.testing.assert_allclose(both.indices[0], both.indices[1])
    np.testing.assert_allclose(np.abs((both.axes[0] @ q.T * both.axes[1]).sum(-1)), 1)
    np.testing.assert_allclose(both.two_v[0], both.two_v[1])


def test_a_cubic_crystal_has_no_axes():
    optics = Optics.of(5.7 * np.eye(3))
    assert optics.sign == 0 and np.isnan(optics.two_v) and np.isnan(optics.optic_axes).all()
    np.testing.assert_allclose(optics.reflectivity, 0.168, atol=1e-3)  # diamond


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="eigenvalue -2"):
        Optics.of(np.diag([2.0, 2.0, -2.0]))
    with pytest.raises(ValueError, match="length zero"):
        wave_indices(np.eye(3), np.zeros((1, 3)))
