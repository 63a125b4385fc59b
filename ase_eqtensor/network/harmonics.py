"""Real spherical harmonics of the edges, from Wigner 3j symbols alone."""

from functools import cache

import torch

from ..tensors.wigner import clebsch_gordan


def spherical_harmonics(vector: torch.Tensor, lmax: int) -> list[torch.Tensor]:
    """Y_l for l = 0 ... lmax, each (..., 2l+1), of Cartesian vectors (..., 3) that are not zero.

    Signs, order and "component" normalisation, |Y_l|^2 = 2l+1, are e3nn's. The part of degree l of
    the product Y_{l-1} Y_1 is proportional to Y_l (e.g. Varshalovich et al., Quantum Theory of
    Angular Momentum, 5.6.2).
    """
    harmonics = [torch.ones_like(vector[..., :1])]
    y1 = vector * (3**0.5 / vector.norm(dim=-1, keepdim=True))
    for l in range(1, lmax + 1):
        pairs = (harmonics[-1][..., :, None] * y1[..., None, :]).flatten(-2)
        harmonics.append(pairs @ _step(l).to(vector))
    return harmonics


@cache
@torch.inference_mode(False)
def _step(l: int) -> torch.Tensor:
    """Matrix (3 (2l-1), 2l+1) from Y_{l-1} Y_1 to Y_l, float64."""
    symbol = clebsch_gordan(l - 1, 1, l)
    # Along e3nn's polar axis, the second of three, only the middle component differs from zero:
    # it is sqrt(2l+1) there, which fixes the factor and its sign.
    polar = symbol[l - 1, 1, l] * (2 * l - 1) ** 0.5 * 3**0.5
    return symbol.flatten(0, 1) * ((2 * l + 1) ** 0.5 / polar)
