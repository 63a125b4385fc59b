"""How each kind of tensor is written as an array, and how rotations act on that array.

A form is orthonormal: the Frobenius norm of the array is the norm of the tensor, and a rotation
acts on it orthogonally. So means, norms, projections and losses need no factors, whatever the kind.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from .irreps import (
    PIEZOELECTRIC,
    RANK2,
    STIFFNESS,
    Irreps,
    piezoelectric_basis,
    rank2_basis,
    stiffness_basis,
)
from .notation import mandel_rotation, rotate_rank2

ROUNDING = 1e-12  # of the largest entry
SAME = 1e-6  # by which matrices of one operation differ


@dataclass(frozen=True, eq=False)
class Form:
    """A kind of tensor as an array, in a Cartesian frame and any unit.

    irreps: what it consists of, degree l -> multiplicity, ascending.
    shape: of the array; () for a number.
    basis: gives (n, *shape) float64 on the CPU, the orthonormal arrays of the n irreps components,
        ordered by l, copy of the irrep, m.
    rotate: takes arrays (..., *shape) and orthogonal matrices (..., 3, 3), proper or not, to the
        arrays (..., *shape) of the rotated tensors.
    odd: whether inversion changes its sign, which is the parity of all its irreps.
    """

    irreps: Irreps
    shape: tuple[int, ...]
    basis: Callable[[], torch.Tensor]
    rotate: Callable[[np.ndarray, np.ndarray], np.ndarray]
    odd: bool = False

    @property
    def scalars(self) -> int:
        """Number of components that no rotation changes."""
        return self.irreps.get(0, 0)

    def components(self, array: np.ndarray) -> np.ndarray:
        """Irreps components (..., n) of arrays (..., *shape), in their unit and in basis order."""
        return self._flat(np.asarray(array)) @ self.basis().numpy().reshape(-1, prod(self.shape)).T

    def array(self, components: np.ndarray) -> np.ndarray:
        """Arrays (..., *shape) of irreps components (..., n); the inverse of `components`."""
        return np.tensordot(components, self.basis().numpy(), axes=1)

    def by_degree(self, array: np.ndarray) -> dict[int, np.ndarray]:
        """{l: components (B, multiplicity * (2l+1))} of arrays (B, *shape)."""
        ends = np.cumsum([multiplicity * (2 * l + 1) for l, multiplicity in self.irreps.items()])
        return dict(zip(self.irreps, np.split(self.components(array), ends[:-1], axis=-1)))

    def isotropic_part(self, array: torch.Tensor) -> torch.Tensor:
        """Projection (..., *shape) of arrays (..., *shape) on the scalar irreps (torch)."""
        basis = self.basis()[: self.scalars].to(array).reshape(-1, prod(self.shape))
        return (self._flat(array) @ basis.T @ basis).reshape(array.shape)

    def group_averages(self, arrays: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
        """Averages (B, *shape) of arrays (B, *shape) over their point groups.

        `groups` are B arrays (G, 3, 3) of orthogonal matrices in the frame of the tensors. What
        they forbid is zero, not what rounding leaves of it.
        """
        order = np.array([len(group) for group in groups])
        rotated = self.rotate(np.repeat(arrays, order, axis=0), np.concatenate(groups))
        total = np.add.reduceat(rotated, np.cumsum(order) - order)
        axes = tuple(range(1, 1 + len(self.shape)))
        average = total / np.expand_dims(order, axes)
        rounding = ROUNDING * np.abs(arrays).max(axis=axes, keepdims=True)
        return np.where(np.abs(average) < rounding, 0.0, average)

    def forbidden(self, group: np.ndarray) -> bool:
        """Whether a point group (G, 3, 3) leaves nothing of any array of odd parity."""
        if not self.odd:
            return False
        if (np.abs(group + np.eye(3)).max(axis=(1, 2)) < SAME).any():
            return True
        basis = self.basis().numpy()
        return bool(np.abs(self.rotate(basis[:, None], group).mean(axis=1)).max() < SAME)

    def _flat(self, array):
        """(..., *shape) as (..., size)."""
        return array.reshape(*array.shape[: array.ndim - len(self.shape)], prod(self.shape))


def rotate_mandel(matrix: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Mandel matrices (..., 6, 6) of the crystal rotated by the orthogonal R (..., 3, 3)."""
    return rotate_rank2(matrix, mandel_rotation(rotation))


def rotate_piezoelectric(matrix: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """e_iJ (..., 3, 6; J Mandel) of the crystal rotated by the orthogonal R (..., 3, 3)."""
    return rotation @ matrix @ np.swapaxes(mandel_rotation(rotation), -1, -2)


NUMBER = Form({0: 1}, (), lambda: torch.from_numpy(np.ones(1)), lambda array, rotation: array)
SYMMETRIC = Form(RANK2, (3, 3), rank2_basis, rotate_rank2)  # symmetric, Cartesian
MANDEL = Form(STIFFNESS, (6, 6), stiffness_basis, rotate_mandel)  # elastic, Mandel
VECTOR_MANDEL = Form(  # piezoelectric: field or polarisation by strain or stress in Mandel form
    PIEZOELECTRIC, (3, 6), piezoelectric_basis, rotate_piezoelectric, odd=True
)
