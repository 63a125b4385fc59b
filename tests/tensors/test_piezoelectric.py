"""The piezoelectric tensor's irreps, its symmetry zeros and its greatest coefficient."""

import numpy as np
import pytest
from crystals import POINT_GROUPS, crystal_of_point_group
from equivariance import orthogonal

from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.directional import greatest_longitudinal, longitudinal_piezoelectric
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.tensors.forms import VECTOR_MANDEL

# independent constants of the piezoelectric classes (J. F. Nye, Physical Properties of Crystals,
# 1985, ch. VII); the other eleven groups have an inversion centre, or are 432
CONSTANTS = {
    "1": 18, "2": 8, "m": 10, "222": 3, "mm2": 5, "4": 4, "-4": 4, "422": 1, "4mm": 3, "-42m": 2,
    "3": 6, "32": 2, "3m": 4, "6": 4, "-6": 2, "622": 1, "6mm": 3, "-6m2": 1, "23": 1, "-43m": 1,
}  # fmt: skip


@pytest.mark.parametrize("symbol", POINT_GROUPS)
def test_each_point_group_leaves_as_many_constants_as_nye_counts(symbol):
    _, group = crystal_of_point_group(symbol)
    basis = VECTOR_MANDEL.basis().numpy()
    averages = VECTOR_MANDEL.group_averages(basis, [group] * len(basis)).reshape(len(basis), -1)
    assert np.linalg.matrix_rank(averages, tol=1e-9) == CONSTANTS.get(symbol, 0)


def test_only_volume_makes_the_first_vector():
    basis = VECTOR_MANDEL.basis().numpy()
    hydrostatic = np.array([1, 1, 1, 0, 0, 0]) / 3**0.5
    np.testing.assert_allclose(basis @ hydrostatic, np.eye(18, 3), atol=1e-12)


def test_greatest_coefficient_is_above_all_others_and_reached():
    rng = np.random.default_rng(4)
    tensors, directions = rng.normal(size=(20, 3, 6)), rng.normal(size=(50_000, 3))
    greatest = greatest_longitudinal(tensors)
    sampled = longitudinal_piezoelectric(tensors, directions).max(axis=1)
    assert (greatest > sampled - 1e-9).all() and (greatest < sampled + 5e-3).all()


def test_greatest_coefficient_of_known_forms():
    zincblende = np.zeros((3, 6))
    zincblende[0, 3] = zincblende[1, 4] = zincblende[2, 5] = 1.0
    polar = np.zeros((3, 6))
    polar[2] = (-0.5, -0.5, 1.2, 0, 0, 0)
    polar[1, 3] = polar[0, 4] = -0.4
    turned = PIEZOELECTRIC.rotate(polar, orthogonal(3))
    values = greatest_longitudinal(np.stack([zincblende, polar, turned, 0 * polar]))
    np.testing.assert_allclose(values, [2 / 3**0.5, 1.2, 1.2, 0], atol=1e-6)
    (scalar,) = PIEZOELECTRIC.scalars
    value = scalar.of(PIEZOELECTRIC.from_ase(polar[None]), None)
    np.testing.assert_allclose(value, 1.2 * C_PER_M2, rtol=1e-6)
    assert C_PER_M2 == pytest.approx(16.0218, abs=1e-4)
