"""Moduli and permittivity by direction: closed forms, pymatgen, sampling, rotations."""

import numpy as np
import pytest
from pymatgen.core.elasticity import ElasticTensor
from scipy.spatial.transform import Rotation

from ase_eqtensor.tensors.directional import (
    compliance_cartesian,
    linear_compressibility,
    permittivity_along,
    shear_modulus,
    youngs_modulus,
)
from ase_eqtensor.tensors.notation import rotate_rank2, rotate_stiffness

RNG = np.random.default_rng(1)
DIRECTIONS = RNG.normal(size=(40, 3))
C11, C12, C44 = 165.0, 64.0, 79.0  # silicon, GPa
TURN = Rotation.random(rng=RNG).as_matrix()


def cubic() -> np.ndarray:
    stiffness = np.diag([C11 - C12] * 3 + [C44] * 3)
    stiffness[:3, :3] += C12
    return stiffness


def triclinic() -> np.ndarray:
    a = RNG.normal(size=(6, 6))
    return a @ a.T + 5 * np.eye(6)


TRICLINIC = triclinic()


def test_youngs_modulus_of_a_cubic_crystal():
    """Nye: 1/E = S11 - 2 (S11 - S12 - S44/2)(n1^2 n2^2 + n2^2 n3^2 + n3^2 n1^2)."""
    s = np.linalg.inv(cubic())
    n = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    x, y, z = (n**2).T
    expected = s[0, 0] - 2 * (s[0, 0] - s[0, 1] - s[3, 3] / 2) * (x * y + y * z + z * x)
    np.testing.assert_allclose(youngs_modulus(cubic(), DIRECTIONS), 1 / expected, rtol=1e-12)


def test_against_pymatgen():
    compliance = ElasticTensor.from_voigt(TRICLINIC).compliance_tensor
    np.testing.assert_allclose(compliance_cartesian(TRICLINIC), compliance, atol=1e-12)
    for direction in DIRECTIONS:
        n = direction / np.linalg.norm(direction)
        expected = 1 / compliance.einsum_sequence([n] * 4)
        assert youngs_modulus(TRICLINIC, direction) == pytest.approx(expected, rel=1e-9)


def test_isotropic_solid():
    k, g = 100.0, 60.0
    stiffness = np.diag([2 * g] * 3 + [g] * 3)
    stiffness[:3, :3] += k - 2 * g / 3
    np.testing.assert_allclose(youngs_modulus(stiffness, DIRECTIONS), 9 * k * g / (3 * k + g))
    np.testing.assert_allclose(linear_compressibility(stiffness, DIRECTIONS), 1 / (3 * k))
    np.testing.assert_allclose(shear_modulus(stiffness, DIRECTIONS), g)


def test_shear_modulus_of_a_cubic_crystal():
    np.testing.assert_allclose(shear_modulus(cubic(), [0, 0, 1]), [C44, C44])
    np.testing.assert_allclose(shear_modulus(cubic(), [1, 1, 0]), [(C11 - C12) / 2, C44])


def test_shear_extremes_are_those_of_all_directions_in_the_plane():
    s = compliance_cartesian(TRICLINIC)
    angles = np.linspace(0, np.pi, 721)
    for direction in DIRECTIONS[:10]:
        n = direction / np.linalg.norm(direction)
        plane = np.linalg.svd(n[None])[2][1:]
        m = np.cos(angles)[:, None] * plane[0] + np.sin(angles)[:, None] * plane[1]
        sampled = 1 / (4 * np.einsum("i,aj,k,al,ijkl->a", n, m, n, m, s))
        least, greatest = shear_modulus(TRICLINIC, direction)
        np.testing.assert_allclose([least, greatest], [sampled.min(), sampled.max()], rtol=1e-4)
        assert least <= sampled.min() + 1e-12 and greatest >= sampled.max() - 1e-12


def test_compressibilities_along_three_axes_add_up_to_the_bulk_one():
    bulk = 1 / ElasticTensor.from_voigt(TRICLINIC).k_reuss
    assert linear_compressibility(TRICLINIC, TURN).sum() == pytest.approx(bulk)


def test_turning_crystal_and_direction_together_changes_nothing():
    turned = rotate_stiffness(TRICLINIC, TURN)
    for function in (youngs_modulus, linear_compressibility, shear_modulus):
        np.testing.assert_allclose(
            function(turned, DIRECTIONS @ TURN.T), function(TRICLINIC, DIRECTIONS), rtol=1e-9
        )
    eps = np.array([[4.0, 0.3, -0.2], [0.3, 5.0, 0.1], [-0.2, 0.1, 7.0]])
    np.testing.assert_allclose(
        permittivity_along(rotate_rank2(eps, TURN), DIRECTIONS @ TURN.T),
        permittivity_along(eps, DIRECTIONS),
    )


def test_permittivity_along_the_axes():
    eps = np.array([[4.0, 0.3, -0.2], [0.3, 5.0, 0.1], [-0.2, 0.1, 7.0]])
    np.testing.assert_allclose(permittivity_along(eps, 2 * np.eye(3)), [4, 5, 7])
    assert permittivity_along(eps, [1, 1, 0]) == pytest.approx(4.8)


def test_shapes_follow_the_directions():
    grid = DIRECTIONS.reshape(4, 10, 3)
    assert youngs_modulus(TRICLINIC, grid).shape == (4, 10)
    assert [g.shape for g in shear_modulus(TRICLINIC, grid)] == [(4, 10)] * 2
    assert linear_compressibility(TRICLINIC, grid[0, 0]).shape == ()


@pytest.mark.parametrize("bad", [[0, 0, 0], [np.nan, 0, 1]])
def test_a_direction_needs_a_length(bad):
    with pytest.raises(ValueError, match="points nowhere"):
        youngs_modulus(TRICLINIC, [[1, 0, 0], bad])
