"""Relative distance of two tensors of one unit and frame, in the orthonormal forms of forms.py."""

import numpy as np
import torch


def relative_errors(predicted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """|P - T| / |T| for each of B tensors, (B,), from arrays (B, n, m); Frobenius norms."""
    return np.linalg.norm(predicted - target, axis=(1, 2)) / np.linalg.norm(target, axis=(1, 2))


def relative_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """`relative_errors` (B,) of tensors (B, n, m) as a loss, with a finite gradient at P = T."""
    # thanks to the tiny second term: the gradient of the norm alone is not finite there
    difference = (predicted - target).square().sum((-2, -1)) + 1e-12 * target.square().sum((-2, -1))
    return difference.sqrt() / target.norm(dim=(-2, -1))
