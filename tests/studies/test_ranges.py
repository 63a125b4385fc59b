"""What studies ask of models."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ase_eqtensor.tensors.notation import rotate_stiffness, voigt_to_mandel
from studies.ranges import slope, zener


@pytest.mark.parametrize("constants", [(168.0, 121.0, 75.0), (100.0, 20.0, 15.0)])
def test_zener_ratio_in_any_frame(constants):
    c11, c12, c44 = constants
    voigt = np.diag([c11] * 3 + [c44] * 3)
    voigt[:3, :3] += c12 * (1 - np.eye(3))
    turned = rotate_stiffness(voigt, Rotation.random(rng=np.random.default_rng(1)).as_matrix())
    expected = np.log(2 * c44 / (c11 - c12))
    np.testing.assert_allclose(zener(voigt_to_mandel(np.array([voigt, turned]))), expected)


def test_slope():
    x = np.array([0.0, 1.0, 2.0])
    assert slope(x, 0.5 * x + 3) == pytest.approx(0.5)
