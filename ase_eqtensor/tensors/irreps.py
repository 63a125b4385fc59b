"""Orthonormal bases that split symmetric rank-2 and elastic tensors into irreps of O(3).

A symmetric (3, 3) tensor is 0e + 2e, an elastic tensor 2x0e + 2x2e + 1x4e (e.g. Itin & Hehl,
J. Phys. Condens. Matter 25, 085404 (2013)). Component order inside an irrep is e3nn's. The bases
are orthonormal, so that Frobenius norms equal norms of the components.

The tables are cached, and never as inference tensors: a prediction may come before a training.
"""

from functools import cache

import torch
from e3nn import o3

from .notation import MANDEL_MATRICES

RANK2_IRREPS = o3.Irreps("0e + 2e")
STIFFNESS_IRREPS = o3.Irreps("2x0e + 2x2e + 1x4e")


@cache
@torch.inference_mode(False)
def clebsch_gordan(l1: int, l2: int, l3: int) -> torch.Tensor:
    """e3nn's real Wigner 3j symbol (2 l1 + 1, 2 l2 + 1, 2 l3 + 1), float64, on the processor."""
    return o3.wigner_3j(l1, l2, l3, dtype=torch.float64, device="cpu")


@cache
@torch.inference_mode(False)
def coupling(
    l1: int, l2: int, targets: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Matrix (sum_l (2l+1), (2 l1+1)(2 l2+1)) that takes products of l1 and l2 to all l in
    `targets`, normalised like e3nn's "component" normalisation."""
    rows = [clebsch_gordan(l1, l2, l).flatten(0, 1).T * (2 * l + 1) ** 0.5 for l in targets]
    return torch.cat(rows).to(device, dtype)


@cache
@torch.inference_mode(False)
def rank2_basis() -> torch.Tensor:
    """(6, 3, 3) float64: T = sum_i t_i basis[i] for the components t of 0e + 2e."""
    isotropic = torch.eye(3, dtype=torch.float64)[None] / 3**0.5
    deviatoric = clebsch_gordan(1, 1, 2).permute(2, 0, 1) * 5**0.5
    return torch.cat([isotropic, deviatoric])


@cache
@torch.inference_mode(False)
def stiffness_basis() -> torch.Tensor:
    """(21, 6, 6) float64: C_Mandel = sum_i c_i basis[i] for the components c of 2x0e+2x2e+1x4e.

    The two scalars belong to the volumetric and the deviatoric projector: an isotropic material
    has c_0 = 3K and c_1 = sqrt(5) 2G.
    """
    mandel = torch.as_tensor(MANDEL_MATRICES, dtype=torch.float64)
    strain = torch.einsum("pij,Iij->pI", rank2_basis(), mandel)  # irreps of strain in Mandel form
    volume, deviator = strain[0], strain[1:]
    couple = torch.einsum("I,mJ->mIJ", volume, deviator) / 2**0.5
    square = [
        torch.einsum("abm,aI,bJ->mIJ", clebsch_gordan(2, 2, l), deviator, deviator)
        * (2 * l + 1) ** 0.5
        for l in (0, 2, 4)
    ]
    scalar = torch.outer(volume, volume)[None]
    # the sign of e3nn's (2,2,0) symbol is a convention; a projector has positive trace
    deviatoric = square[0] * square[0].diagonal(dim1=1, dim2=2).sum().sign()
    return torch.cat([scalar, deviatoric, couple + couple.transpose(1, 2), square[1], square[2]])
