"""Quantile regression."""

import numpy as np
import pytest

from ase_eqtensor.train.scoring.quantiles import quantile_regression


def test_of_a_constant_it_is_the_quantile():
    values = np.random.default_rng(0).normal(size=501)
    for level in (0.1, 0.5, 0.9):
        (found,) = quantile_regression(np.ones((501, 1)), values, level, np.ones(501))
        assert found == pytest.approx(np.quantile(values, level), abs=0.02)


def test_the_share_holds_among_the_ones_of_a_column():
    rng = np.random.default_rng(1)
    group = rng.random(2000) < 0.3
    x = rng.normal(size=2000)
    values = (1 + 4 * group) * rng.exponential(size=2000) + x
    design = np.stack([np.ones(2000), group, x], axis=1)
    solution = quantile_regression(design, values, 0.8, np.ones(2000))
    below = values <= design @ solution + 1e-9
    for chosen in (group, ~group):
        assert below[chosen].mean() == pytest.approx(0.8, abs=0.005)
    assert solution[2] == pytest.approx(1, abs=0.3)


def test_weights_count():
    values = np.arange(10.0)
    weights = np.where(values < 5, 9.0, 1.0)
    (found,) = quantile_regression(np.ones((10, 1)), values, 0.8, weights)
    assert 3 <= found <= 5  # 40 of the weight of 50


def test_a_column_that_nobody_has_is_harmless():
    values = np.arange(20.0)
    design = np.stack([np.ones(20), np.zeros(20)], axis=1)
    assert quantile_regression(design, values, 0.5, np.ones(20))[0] == pytest.approx(9.5, abs=1)
