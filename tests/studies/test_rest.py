"""What misjudged strains cost, on made-up numbers."""

import numpy as np
import pytest

from studies.rest import COLUMNS, row, spread


def test_spread_is_the_standard_deviation_of_a_normal_distribution():
    values = np.random.default_rng(0).normal(3.0, 0.1, 100_000)
    assert spread(values) == pytest.approx(0.1, rel=0.05)


def test_the_error_that_goes_with_the_strain_is_told_apart():
    rng = np.random.default_rng(1)
    strain, true = rng.normal(0, 0.01, 500), rng.uniform(50, 150, 500)
    values = np.column_stack([rng.normal(-0.2, 0.1, 500), strain, true * np.exp(-7 * strain), true])
    cells = dict(zip(COLUMNS, row("made up", values), strict=True))
    assert float(cells["slope of ln K"]) == pytest.approx(-7)
    assert float(cells["K, GPa"]) > 4 and float(cells["without it"]) == 0
    assert 0.008 < float(cells["strain"]) < 0.011 < float(cells["distance"])
    unknown = np.column_stack([values[:, :3], np.full(500, np.nan)])
    assert row("made up", unknown)[4:] == ["", "", ""]
