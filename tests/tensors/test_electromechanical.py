"""Identities between the forms of the electromechanical matrix, and measured constants."""

import numpy as np
import pytest
from electromechanics import LITHIUM_NIOBATE, QUARTZ, Measured
from equivariance import orthogonal

from ase_eqtensor.tensors.electromechanical import EPS_0, PM_PER_V, Electromechanical


def response(crystal: Measured) -> Electromechanical:
    return Electromechanical(crystal.stiffness, crystal.piezoelectric, crystal.permittivity)


def made_up(count: int = 6) -> Electromechanical:
    """Stable crystals without symmetry."""
    rng = np.random.default_rng(1)
    roots = rng.normal(size=(count, 6, 6)), rng.normal(size=(count, 3, 3))
    c, eps = (r @ np.swapaxes(r, 1, 2) + np.eye(r.shape[-1]) for r in roots)
    return Electromechanical(c, 0.1 * rng.normal(size=(count, 3, 6)), 5 * eps)


@pytest.mark.parametrize("m", [made_up(), response(LITHIUM_NIOBATE)], ids=["batch", "LiNbO3"])
def test_identities(m):
    def t(x):
        return np.swapaxes(x, -1, -2)

    def same(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)

    eps_s, eps_t = EPS_0 * m.permittivity, EPS_0 * m.permittivity_at_stress
    same(m.d @ m.stiffness, m.piezoelectric)
    same(eps_s @ m.h, m.piezoelectric)
    same(eps_t @ m.g, m.d)
    same(m.g @ m.stiffness_at_displacement, m.h)
    same(m.h @ m.compliance_at_displacement, m.g)
    same(m.stiffness_at_displacement @ m.compliance_at_displacement, np.eye(6) + 0 * m.stiffness)
    same(eps_t - eps_s, m.d @ t(m.piezoelectric))
    same(np.linalg.inv(eps_s) - np.linalg.inv(eps_t), m.h @ t(m.g))
    # what a general load gives by the equations of state, the other two forms give back
    strain, field = np.arange(1.0, 7) / 50, np.array([0.2, -0.1, 0.3])
    stress = m.stiffness @ strain - field @ m.piezoelectric
    displacement = m.piezoelectric @ strain + eps_s @ field
    found = np.einsum("...ij,...j->...i", m.compliance, stress) + field @ m.d
    same(found, np.broadcast_to(strain, found.shape))
    found = np.linalg.solve(eps_t, displacement[..., None])[..., 0]
    found = found - np.einsum("...ij,...j->...i", m.g, stress)
    same(found, np.broadcast_to(field, found.shape))


def test_measured_d_of_lithium_niobate_and_quartz():
    """pC/N: 68, 21, -1, 6 (Warner et al. 1967), and 2.31, 0.727 (Bechmann 1958)."""
    d = response(LITHIUM_NIOBATE).d * PM_PER_V
    np.testing.assert_allclose([d[0, 4], d[1, 1], d[2, 0], d[2, 2]], [68, 21, -1, 6], rtol=0.15)
    d = response(QUARTZ).d * PM_PER_V
    np.testing.assert_allclose([d[0, 0], d[0, 3]], [2.31, 0.727], rtol=0.02)
    assert np.abs(response(QUARTZ).hydrostatic_d).max() < 1e-12  # no polar axis


def test_coupling_factors():
    """LiNbO3: k15 = 0.61 to 0.68, kt = 0.16 to 0.17; quartz, X cut: 0.10 (IEEE 176-1987)."""
    coupling = response(LITHIUM_NIOBATE).coupling
    assert coupling["k15"] == pytest.approx(0.61, abs=0.02)
    assert coupling["kt"] == pytest.approx(0.165, abs=0.01)
    assert response(LITHIUM_NIOBATE).greatest_coupling >= max(coupling.values())
    assert 0.1 < response(QUARTZ).greatest_coupling < 0.2
    assert (made_up().greatest_coupling < 1).all()


def test_invariants_do_not_depend_on_the_frame():
    q = orthogonal(4)
    turned = response(LITHIUM_NIOBATE.turned(q))
    m = response(LITHIUM_NIOBATE)
    np.testing.assert_allclose(turned.greatest_coupling, m.greatest_coupling)
    np.testing.assert_allclose(turned.hydrostatic_d, q @ m.hydrostatic_d, atol=1e-12)


def test_stability():
    m = made_up()
    assert m.stable.all()
    soft = Electromechanical(-m.stiffness, m.piezoelectric, m.permittivity)
    assert not soft.stable.any()
