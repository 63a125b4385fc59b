"""Radial functions of the edges: Bessel basis times a smooth cutoff."""

import math

import torch


def bessel_basis(distance: torch.Tensor, cutoff: float, count: int) -> torch.Tensor:
    """Bessel functions under a polynomial envelope that vanishes smoothly at the cutoff.

    b_n(r) = sqrt(2/rc) sin(n pi r/rc)/r * u(r/rc), n = 1 ... count, with the envelope u of
    J. Gasteiger et al., "Directional Message Passing" (ICLR 2020), p = 6.

    Args:
        distance: (E,) in Å, positive.
        cutoff: rc in Å.
        count: number of functions.

    Returns:
        (E, count) in the dtype of `distance`.
    """
    x = distance / cutoff
    order = torch.arange(1, count + 1, dtype=distance.dtype, device=distance.device)
    waves = math.sqrt(2 * cutoff) * torch.sin(math.pi * order * x[:, None]) / distance[:, None]
    envelope = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    return waves * torch.where(x < 1, envelope, 0)[:, None]
