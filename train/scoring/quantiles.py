"""Quantile regression: a linear function below which a share of the values lies."""

import numpy as np
from scipy.optimize import linprog


def quantile_regression(
    design: np.ndarray, values: np.ndarray, level: float, weights: np.ndarray
) -> np.ndarray:
    """Coefficients (p,) of columns `design` (n, p), such that `values` (n,) with a share `level` of
    the `weights` (n,) lie below; for a column of ones and zeros, that holds among the ones, too.

    R. Koenker, G. Bassett, Econometrica 46, 33 (1978); solved by its dual, which has a constraint
    for each column instead of one for each value.
    """
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1  # a column that nobody has
    columns = design / scale
    problem = {
        "c": -values,
        "A_eq": columns.T,
        "b_eq": (1 - level) * (weights @ columns),
        "bounds": np.stack([np.zeros(len(values)), weights], axis=1),
    }
    # the simplex method now and then ends without knowing whether it is there (status 15)
    for method in ("highs", "highs-ipm"):
        solution = linprog(**problem, method=method)
        if solution.success:
            break
    assert solution.success, solution.message  # the dual is feasible and bounded
    return -solution.eqlin.marginals / scale
