"""Least squares with a penalty, and such in which large errors count less."""

import numpy as np

ITERATIONS = 20  # of a robust fit


def ridge(
    design: np.ndarray, values: np.ndarray, weights: np.ndarray, penalty: float
) -> np.ndarray:
    """Weighted least squares (p,) of values (n,) by columns (n, p), the first column's coefficient
    free, those of the others, once all have unit variance, drawn to zero by `penalty` times the sum
    of the weights (n,)."""
    mean, width = design.mean(axis=0), design.std(axis=0)
    mean[0] = 0
    width[width == 0] = 1
    columns = (design - mean) / width
    drawn = penalty * weights.sum() * np.eye(len(mean))
    drawn[0, 0] = 0
    solution = np.linalg.solve(
        columns.T @ (weights[:, None] * columns) + drawn, columns.T @ (weights * values)
    )
    coefficients = solution / width
    coefficients[0] -= coefficients @ mean
    return coefficients


def robust_ridge(
    design: np.ndarray, values: np.ndarray, weights: np.ndarray, penalty: float
) -> np.ndarray:
    """The same, with errors above the median one counting linearly (P. J. Huber, Ann. Math. Stat.
    35, 73 (1964))."""
    trust = np.ones(len(values))
    for _ in range(ITERATIONS):
        solution = ridge(design, values, weights * trust, penalty)
        trust = less_of_large(np.abs(values - design @ solution))
    return solution


def less_of_large(errors: np.ndarray) -> np.ndarray:
    """Weights (n,) by which squares of errors (n,) above the median one count linearly."""
    middle = max(float(np.median(errors)), np.finfo(float).tiny)
    return middle / np.maximum(errors, middle)
