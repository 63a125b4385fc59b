"""Sound in crystals against published velocities, and what must hold for every crystal."""

import numpy as np
import pytest
from ase import units
from electromechanics import LITHIUM_NIOBATE, QUARTZ, SILICON, Measured
from equivariance import orthogonal

from ase_eqtensor.tensors.acoustics import (
    debye_temperature,
    debye_velocity,
    sphere_directions,
    waves,
)
from ase_eqtensor.tensors.notation import GPA

AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1), "xy": (1, 1, 0), "xyz": (1, 1, 1)}
GENERAL = np.random.default_rng(0).normal(size=(9, 3))


def of(crystal: Measured, directions, stiffened: bool = True):
    field = (crystal.piezoelectric, crystal.permittivity) if stiffened else ()
    return waves(crystal.stiffness, crystal.density, np.atleast_2d(directions), *field)


# km/s. Silicon: H. J. McSkimin, P. Andreatch, J. Appl. Phys. 35, 2161 (1964). Quartz: R. Bechmann,
# Phys. Rev. 110, 1060 (1958), as tabulated in B. A. Auld (1973), app. 2. LiNbO3: A. W. Warner, M.
# Onoe, G. A. Coquin, J. Acoust. Soc. Am. 42, 1223 (1967).
@pytest.mark.parametrize(
    "crystal, axis, published",
    [
        (SILICON, "x", (5.843, 5.843, 8.433)),
        (SILICON, "xy", (4.673, 5.843, 9.134)),
        (SILICON, "xyz", (5.094, 5.094, 9.360)),
        (QUARTZ, "x", (3.296, 5.115, 5.749)),
        (QUARTZ, "z", (4.677, 4.677, 6.361)),
        (LITHIUM_NIOBATE, "x", (4.08, 4.795, 6.572)),
        (LITHIUM_NIOBATE, "z", (3.573, 3.573, 7.316)),
    ],
)
def test_published_velocities(crystal, axis, published):
    found = of(crystal, AXES[axis]).phase[0]
    np.testing.assert_allclose(found, published, rtol=5e-3)


def test_the_field_stiffens_and_silicon_has_none():
    free, stiffened = (of(LITHIUM_NIOBATE, GENERAL, s).phase for s in (False, True))
    assert (stiffened >= free - 1e-12).all() and (stiffened / free).max() > 1.1
    np.testing.assert_array_equal(
        of(SILICON, GENERAL, False).phase, of(SILICON, GENERAL, True).phase
    )


@pytest.mark.parametrize("stiffened", [False, True])
def test_group_velocity_is_the_gradient_of_the_frequency(stiffened):
    n = GENERAL / np.linalg.norm(GENERAL, axis=1, keepdims=True)
    found = of(LITHIUM_NIOBATE, n, stiffened)
    np.testing.assert_allclose(np.einsum("nwk,nk->nw", found.group, n), found.phase)
    step = 1e-5
    for k in range(3):
        moved = [n + sign * step * np.eye(3)[k] for sign in (1, -1)]
        frequency = [
            of(LITHIUM_NIOBATE, m, stiffened).phase * np.linalg.norm(m, axis=1, keepdims=True)
            for m in moved
        ]
        slope = (frequency[0] - frequency[1]) / (2 * step)
        np.testing.assert_allclose(found.group[..., k], slope, atol=1e-6)
    assert (found.power_flow[:, 0] > 1).any()


def test_waves_turn_with_the_crystal_and_go_in_batches():
    q = orthogonal(9)
    before, after = of(LITHIUM_NIOBATE, GENERAL), of(LITHIUM_NIOBATE.turned(q), GENERAL @ q.T)
    np.testing.assert_allclose(after.phase, before.phase)
    np.testing.assert_allclose(after.group, before.group @ q.T, atol=1e-9)
    pair = (LITHIUM_NIOBATE, QUARTZ)
    both = waves(
        np.stack([c.stiffness for c in pair]),
        np.array([c.density for c in pair]),
        GENERAL,
        np.stack([c.piezoelectric for c in pair]),
        np.stack([c.permittivity for c in pair]),
    )
    for i, crystal in enumerate(pair):
        np.testing.assert_allclose(both.phase[i], of(crystal, GENERAL).phase)


def test_an_isotropic_solid_has_the_velocities_of_its_moduli():
    k, g = 100.0, 60.0
    c = np.zeros((6, 6))
    c[:3, :3] = k - 2 * g / 3
    c[range(6), range(6)] += [2 * g] * 3 + [g] * 3
    density = 5000 * 1e-30 / units._amu
    found = waves(c * GPA, density, GENERAL)
    expected = np.sqrt(np.array([g, g, k + 4 * g / 3]) * 1e9 / 5000) / 1e3
    np.testing.assert_allclose(found.phase, np.broadcast_to(expected, found.phase.shape))
    np.testing.assert_allclose(found.power_flow, 0, atol=1e-5)


def test_mean_velocity_and_debye_temperature_of_silicon():
    """645 K at 0 K (P. Flubacher, A. J. Leadbetter, J. A. Morrison, Phil. Mag. 4, 273 (1959))."""
    directions, weights = sphere_directions()
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose((directions.T * weights) @ directions, np.eye(3) / 3, atol=1e-12)
    mean = debye_velocity(of(SILICON, directions).phase, weights)
    assert debye_temperature(mean, 8 / 5.431**3) == pytest.approx(645, abs=3)
    fine = debye_velocity(of(SILICON, sphere_directions(59)[0]).phase, sphere_directions(59)[1])
    assert mean == pytest.approx(fine, rel=1e-4)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="length zero"):
        of(SILICON, (0, 0, 0))
    with pytest.raises(ValueError, match="both"):
        waves(SILICON.stiffness, 1.0, GENERAL, SILICON.piezoelectric)
    soft = waves(np.diag([1.0, 1, 1, -0.1, 1, 1]), 1.0, np.array([[0, 0, 1.0]]))
    assert np.isnan(soft.phase[0, 0]) and np.isfinite(soft.phase[0, 1:]).all()
