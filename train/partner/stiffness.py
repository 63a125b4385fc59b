"""Fits of how the stiffnesses of a network and a potential make one.

Both are robust: a few crystals are magnetic, misjudged or nearly unstable in one of the two.
"""

from collections.abc import Mapping

import numpy as np

from ase_eqtensor.models.mixture import BULK_GAP, GROUPS, SHEAR_GAP
from ase_eqtensor.tensors.forms import MANDEL
from ase_eqtensor.tensors.notation import of_symmetric
from ase_eqtensor.train.scoring.least_squares import ITERATIONS, less_of_large, robust_ridge

RIDGE = 0.01  # of the sum of weights, on standardised features; and of the mean square of parts
COLUMNS = (
    *GROUPS,
    BULK_GAP,
    SHEAR_GAP,
    *(f"{name} {gap}" for name in GROUPS[1:] for gap in (BULK_GAP, SHEAR_GAP)),
)


def fit_moduli(
    features: Mapping[str, np.ndarray], missing: np.ndarray, weights: np.ndarray
) -> list[dict[str, float]]:
    """Fields `bulk` and `shear` of a mixture, of features (n,) with `gaps` of crystals, and what is
    missing (n, 2) in ln K and ln G of the network; weights (n,)."""
    design = np.stack([features[name] for name in COLUMNS], axis=1)
    found = [robust_ridge(design, column, weights, RIDGE) for column in missing.T]
    return [dict(zip(COLUMNS, map(float, solution))) for solution in found]


def fit_mixing(
    features: Mapping[str, np.ndarray],
    network: np.ndarray,
    potential: np.ndarray,
    true: np.ndarray,
) -> dict[str, dict[str, list[list[float]]]]:
    """Field `mixing` of a mixture, of stiffnesses (n, 6, 6; Mandel)."""
    known = [MANDEL.by_degree(of_symmetric(np.log, side)) for side in (network, potential, true)]
    groups = np.stack([features[group] for group in GROUPS], axis=1)
    mixing = {}
    for l, multiplicity in MANDEL.irreps.items():
        if l == 0:
            continue
        *sources, wanted = (side[l].reshape(-1, multiplicity, 2 * l + 1) for side in known)
        parts = np.concatenate(sources, axis=1)
        columns = (groups[:, :, None, None] * parts[:, None]).reshape(len(parts), -1, 2 * l + 1)
        weights = _mixed(columns, wanted).reshape(len(GROUPS), -1, multiplicity).swapaxes(1, 2)
        mixing[str(l)] = {g: w.tolist() for g, w in zip(GROUPS, weights) if np.any(w)}
    return mixing


def _mixed(columns: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Coefficients (p, m) of which columns (n, p, d) make the wanted (n, m, d)."""
    trust = np.ones(len(columns))
    for _ in range(ITERATIONS):
        square = np.einsum("npd,nqd,n->pq", columns, columns, trust)
        product = np.einsum("npd,nmd,n->pm", columns, wanted, trust)
        drawn = RIDGE * np.trace(square) / len(square) * np.eye(len(square))
        solution = np.linalg.solve(square + drawn, product)
        left = wanted - np.einsum("npd,pm->nmd", columns, solution)
        trust = less_of_large(np.linalg.norm(left, axis=(1, 2)))
    return solution
