"""Isotropic moduli of elastic tensors in Mandel form, differentiable (torch).

Voigt, Reuss and Hill averages after R. Hill, Proc. Phys. Soc. A 65, 349 (1952): with the unit
vector u = (1,1,1,0,0,0)/sqrt(3) of pure dilation, 3 K_V = u.C.u, 2 G_V = (tr C - u.C.u)/5, and the
Reuss values are the same averages of the compliance.
"""

import torch


def voigt_average(stiffness: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(K_V, G_V), each (...), of Mandel stiffness (..., 6, 6), in its unit."""
    volume = stiffness[..., :3, :3].sum(dim=(-2, -1)) / 3
    trace = stiffness.diagonal(dim1=-2, dim2=-1).sum(-1)
    return volume / 3, (trace - volume) / 10


def reuss_average(compliance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(K_R, G_R), each (...), of Mandel compliance (..., 6, 6), in the inverse of its unit."""
    volume = compliance[..., :3, :3].sum(dim=(-2, -1)) / 3
    trace = compliance.diagonal(dim1=-2, dim2=-1).sum(-1)
    return 1 / (3 * volume), 5 / (2 * (trace - volume))


def hill_average(
    stiffness: torch.Tensor, compliance: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """(K_VRH, G_VRH), each (...), of Mandel stiffness (..., 6, 6), in its unit.

    `compliance` (..., 6, 6) is its inverse, calculated unless given.
    """
    compliance = torch.linalg.inv(stiffness) if compliance is None else compliance
    k_voigt, g_voigt = voigt_average(stiffness)
    k_reuss, g_reuss = reuss_average(compliance)
    return (k_voigt + k_reuss) / 2, (g_voigt + g_reuss) / 2
