"""Orthonormal bases that split tensors into irreps of O(3).

A symmetric (3, 3) tensor is 0e + 2e, an elastic tensor 2x0e + 2x2e + 1x4e (e.g. Itin & Hehl,
J. Phys. Condens. Matter 25, 085404 (2013)), a piezoelectric one 2x1o + 2o + 3o (its vector times
0e + 2e). Component order inside an irrep is e3nn's. The bases are orthonormal, so that the
Frobenius norm of a tensor is the norm of its components.

The degree l names an irrep, because the parity is known: natural, (-1)^l, for the features of the
network, and that of the rank for a tensor. Only in a tensor of odd rank do the two differ, in its
2o.
"""

import re
from functools import cache

import torch

from .notation import MANDEL_MATRICES
from .wigner import clebsch_gordan

Irreps = dict[int, int]  # degree l -> multiplicity, ascending

RANK2: Irreps = {0: 1, 2: 1}
STIFFNESS: Irreps = {0: 2, 2: 2, 4: 1}
PIEZOELECTRIC: Irreps = {1: 2, 2: 1, 3: 1}


def dimension(irreps: Irreps) -> int:
    """Number of components: the sum of multiplicity * (2l+1)."""
    return sum(multiplicity * (2 * l + 1) for l, multiplicity in irreps.items())


def parse_irreps(text: str, odd: bool = False) -> Irreps:
    """Irreps in e3nn's notation, e.g. "64x0e + 32x1o"; multiplicities of the same l add up.

    Their parity is the natural one or, with `odd`, that of tensors of odd rank, as in "32x0e +
    16x1o + 16x2o". Raises ValueError for anything else, for another parity, and without 0e.
    """
    kind = "odd parity beside 0e" if odd else "natural parity"
    irreps: Irreps = {}
    for term in text.split("+"):
        match = re.fullmatch(r"(?:(\d+)x)?(\d+)([eo])", term.strip())
        l = int(match[2]) if match else 0
        if match is None or "eo"[min(l, 1) if odd else l % 2] != match[3]:
            raise ValueError(f"{text!r}: irreps must be like '64x0e + 32x1o', of {kind}")
        irreps[l] = irreps.get(l, 0) + int(match[1] or 1)
    if not irreps.get(0) or 0 in irreps.values():
        raise ValueError(f"{text!r}: 0e is missing, or an irrep has multiplicity 0")
    return dict(sorted(irreps.items()))


@cache
@torch.inference_mode(False)
def rank2_basis() -> torch.Tensor:
    """(6, 3, 3) float64, CPU, Cartesian: T = sum_i t_i basis[i] for the components t of 0e + 2e."""
    isotropic = torch.eye(3, dtype=torch.float64, device="cpu")[None] / 3**0.5
    deviatoric = clebsch_gordan(1, 1, 2).permute(2, 0, 1) * 5**0.5
    return torch.cat([isotropic, deviatoric])


@cache
@torch.inference_mode(False)
def stiffness_basis() -> torch.Tensor:
    """(21, 6, 6) float64, CPU: C_Mandel = sum_i c_i basis[i], c the components of 2x0e+2x2e+1x4e.

    The two scalars belong to the volumetric and the deviatoric projector: an isotropic material
    has c_0 = 3K and c_1 = sqrt(5) 2G.
    """
    volume, deviator = _strain()
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


@cache
@torch.inference_mode(False)
def piezoelectric_basis() -> torch.Tensor:
    """(18, 3, 6) float64, CPU: e_iJ = sum_i c_i basis[i], J in Mandel form, c the components of
    2x1o + 2o + 3o. The first 1o is the vector of a change of volume."""
    volume, deviator = _strain()
    vector = torch.eye(3, dtype=torch.float64, device="cpu")
    coupled = [
        torch.einsum("ikm,kJ->miJ", clebsch_gordan(1, 2, l), deviator) * (2 * l + 1) ** 0.5
        for l in (1, 2, 3)
    ]
    return torch.cat([torch.einsum("mi,J->miJ", vector, volume), *coupled])


def _strain() -> tuple[torch.Tensor, torch.Tensor]:
    """Irreps of a strain in Mandel form: volume (6,) and deviator (5, 6), float64, CPU."""
    mandel = torch.from_numpy(MANDEL_MATRICES)
    strain = torch.einsum("pij,Iij->pI", rank2_basis(), mandel)
    return strain[0], strain[1:]
