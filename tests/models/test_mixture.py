"""Stiffnesses and ionic parts of two sources made into one."""

import numpy as np
import pytest
from equivariance import orthogonal
from partners import mixture

from ase_eqtensor.crystal.chemistry import CHEMICAL_CLASSES
from ase_eqtensor.models.mixture import (
    IONIC_GAP,
    UNSTABLE,
    IonicMixture,
    gaps,
    ionic_gaps,
    ionic_size,
    log_moduli,
    mixed_permittivity,
    mixed_stiffness,
    under_pressure,
    usable,
)
from ase_eqtensor.tensors.forms import MANDEL
from ase_eqtensor.tensors.notation import of_symmetric, rotate_rank2


def stiffnesses(count: int, seed: int, anisotropy: float = 0.3) -> np.ndarray:
    """Positive definite, of K and G about 1 and 0.5 eV/Å^3."""
    random = np.random.default_rng(seed)
    components = anisotropy * random.normal(size=(count, 21))
    components[:, 0] += 0.6
    return of_symmetric(np.exp, MANDEL.array(components))


def features(network: np.ndarray, potential: np.ndarray) -> dict[str, np.ndarray]:
    ones = np.ones(len(network))
    known = {"constant": ones, UNSTABLE: 0 * ones} | {name: 0 * ones for name in CHEMICAL_CLASSES}
    return known | gaps(network, potential, known)


NETWORK, POTENTIAL = stiffnesses(5, 1), stiffnesses(5, 2)


@pytest.mark.parametrize("share, expected", [(0.0, NETWORK), (1.0, POTENTIAL)])
def test_the_ends_are_those_of_one_alone(share, expected):
    known = features(NETWORK, POTENTIAL)
    found = mixed_stiffness(mixture(share, share, share), NETWORK, POTENTIAL, known)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_moduli_move_as_the_coefficients_say():
    found = mixed_stiffness(mixture(0.3, 0.8), NETWORK, POTENTIAL, features(NETWORK, POTENTIAL))
    moved = log_moduli(found) - log_moduli(NETWORK)
    gap = log_moduli(POTENTIAL) - log_moduli(NETWORK)
    assert moved == pytest.approx(gap * [0.3, 0.8], abs=1e-8)
    assert np.linalg.eigvalsh(found).min() > 0


def test_wildly_anisotropic_ones_too():
    network, potential = stiffnesses(20, 3, 1.0), stiffnesses(20, 4, 1.0)
    found = mixed_stiffness(mixture(), network, potential, features(network, potential))
    wanted = (log_moduli(network) + log_moduli(potential)) / 2
    assert log_moduli(found) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("proper", [True, False])
def test_turns_with_both(proper):
    turn = orthogonal(0, proper)
    turned = [MANDEL.rotate(side, turn) for side in (NETWORK, POTENTIAL)]
    found = mixed_stiffness(mixture(), *turned, features(*turned))
    straight = mixed_stiffness(mixture(), NETWORK, POTENTIAL, features(NETWORK, POTENTIAL))
    assert found == pytest.approx(MANDEL.rotate(straight, turn), abs=1e-9)


def test_an_unstable_stiffness_becomes_a_soft_one():
    values, axes = np.linalg.eigh(POTENTIAL)
    values[:, 0] = -3
    unstable = (axes * values[:, None, :]) @ axes.swapaxes(1, 2)
    found = np.linalg.eigvalsh(usable(unstable, NETWORK))
    assert found[:, 0] == pytest.approx(0.2 * np.exp(log_moduli(NETWORK)[:, 1]))
    assert found[:, 1:] == pytest.approx(values[:, 1:])


def permittivities(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Total and electronic ones (4, 3, 3); the last has no ionic part."""
    random = np.random.default_rng(seed)
    ionic = np.array([m @ m.T for m in random.normal(size=(4, 3, 3))])
    electronic = 3 * np.eye(3) + np.array([m @ m.T for m in random.normal(size=(4, 3, 3))])
    ionic[3] = 0
    return electronic + ionic, electronic


def test_the_ionic_part_keeps_its_shape():
    total, electronic = permittivities()
    size, softest = ionic_size(total, electronic), np.full(4, 3.0)
    known = ionic_gaps(size, 1.5 * size, softest)
    found = mixed_permittivity(IonicMixture(shift={IONIC_GAP: 1.0}), total, electronic, known)
    expected = electronic + 1.5 * (total - electronic)
    assert found == pytest.approx(expected, rel=1e-6)
    turn = orthogonal(1)
    turned = (rotate_rank2(side, turn) for side in (total, electronic))
    again = mixed_permittivity(IonicMixture(shift={IONIC_GAP: 1.0}), *turned, known)
    assert again == pytest.approx(rotate_rank2(found, turn))


def test_a_gap_beyond_reason_counts_no_more():
    one = np.ones(1)
    near, far = (ionic_gaps(one, factor * one, one)[IONIC_GAP] for factor in (3, 300))
    assert near == pytest.approx(far, abs=0.01)


def test_pressure_is_that_of_the_given_volume():
    """A crystal that the potential expands is a compressed one: stiffer, and less polarisable."""
    assert under_pressure(-4.4, 1.1) > 1.4 and under_pressure(2.0, 1.1) < 0.9
    assert under_pressure(-4.4, 1.01) == 1  # less than a potential is often off
