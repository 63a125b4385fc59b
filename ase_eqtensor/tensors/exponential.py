"""The bounded exponential map: tensors that are positive definite whatever the weights are.

exp of an equivariant symmetric matrix A is equivariant and positive definite. Floating point keeps
that promise only while the spread of A's eigenvalues stays far below ln(1/eps), so the deviation of
A from its reference is bounded smoothly in Frobenius norm, and the exponential runs in float64.
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import torch

Key = TypeVar("Key", bound=Hashable)

LOG_BOUND = 12.0  # of |A - reference|; eigenvalues of exp(A) are typical ones times e^-12 ... e^12


def bound_norm(components: torch.Tensor, limit: float = LOG_BOUND) -> torch.Tensor:
    """Vectors (..., n) scaled to norms below `limit`; the identity to first order.

    x -> x limit / sqrt(limit^2 + |x|^2) depends on the norm alone and so is equivariant.
    """
    # dividing first keeps the square of huge weights from overflowing
    x = components / limit
    peak = x.abs().amax(dim=-1, keepdim=True).clamp(min=1.0).detach()
    scaled = x / peak
    norm2 = peak**-2 + scaled.square().sum(dim=-1, keepdim=True)
    return limit * scaled / norm2.sqrt()


def symmetric_matrix(
    components: torch.Tensor, basis: torch.Tensor, reference: torch.Tensor
) -> torch.Tensor:
    """The symmetric matrix A = sum_i (reference + bounded components)_i basis_i.

    Args:
        components: (..., n) irreps components of the deviation of A from the reference.
        basis: (n, d, d) orthonormal symmetric matrices, float64.
        reference: (..., n) components of the isotropic matrix about which A varies, float64.

    Returns:
        (..., d, d) float64, in the frame of the basis.
    """
    bounded = reference + bound_norm(components.double())
    return torch.einsum("...i,ijk->...jk", bounded, basis)


def exponential(matrix: torch.Tensor) -> torch.Tensor:
    """exp of symmetric float64 matrices (..., d, d), symmetric positive definite of the same shape.

    The derivative is that of torch's matrix exponential, which has no singularity at repeated
    eigenvalues (unlike eigh).
    """
    result = torch.linalg.matrix_exp(matrix)
    return (result + result.transpose(-1, -2)) / 2


def exponentials(matrices: Mapping[Key, torch.Tensor]) -> dict[Key, torch.Tensor]:
    """`exponential` of each of several (..., d, d), under their keys.

    Those of the same shape are computed at once: for few crystals a matrix exponential is nearly
    all overhead.
    """
    alike: dict[torch.Size, list[Key]] = {}
    for key, matrix in matrices.items():
        alike.setdefault(matrix.shape, []).append(key)
    results: dict[Key, torch.Tensor] = {}
    for keys in alike.values():
        results |= zip(keys, exponential(torch.stack([matrices[key] for key in keys])))
    return results
