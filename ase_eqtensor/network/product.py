"""Products of an atom's own message with itself: correlations of three and more bodies.

The message of one layer is a sum over neighbours, so it is linear in the density of each. Its
square contains pairs of neighbours, and with them angles between bonds, at the price of work per
atom instead of per pair (R. Drautz, Phys. Rev. B 99, 014104 (2019); I. Batatia et al., MACE, 2022).
"""

from itertools import combinations_with_replacement

import torch
from torch import nn

from ..tensors.irreps import Irreps
from ..tensors.wigner import couple, product_degrees
from .classes import ClassLinear, ClassMode
from .members import join_channels

LIMIT = 1e3  # features of a trained network stay below 5
START = 0.1  # the network starts as one that is almost without products


def bounded(x: torch.Tensor) -> torch.Tensor:
    """Channels (N, 2l+1, C) with a root mean square below `LIMIT`, so that squares of huge ones
    do not overflow; equivariant, and the identity for all that a trained network meets."""
    return x * torch.rsqrt(1 + (x / LIMIT).square().mean(1, keepdim=True))


class SelfProduct(nn.Module):
    """y^lo = sum_{l1 <= l2} w^k [ (v x)^l1 (v x)^l2 ]^lo, channel by channel before the last map.

    Args:
        irreps: channels by l of the features x, and of the result.
        width: channels in which the products are taken.
    """

    def __init__(self, irreps: Irreps, width: int, mode: ClassMode, classes: int, members: int = 1):
        super().__init__()
        self.irreps, self.members = irreps, members
        self.narrow = nn.ModuleDict(
            {str(l): ClassLinear(c, width, "shared", 1, members) for l, c in irreps.items()}
        )
        self.paths = {
            (l1, l2): product_degrees(l1, l2, irreps)
            for l1, l2 in combinations_with_replacement(irreps, 2)
        }
        count = {lo: sum(lo in targets for targets in self.paths.values()) for lo in irreps}
        self.mix = nn.ModuleDict(
            {
                str(lo): ClassLinear(count[lo] * width, c, mode, classes, members, START)
                for lo, c in irreps.items()
            }
        )

    def forward(
        self, x: dict[int, torch.Tensor], site_class: torch.Tensor
    ) -> dict[int, torch.Tensor]:
        """{l: (N, 2l+1, M C_l)} from the same."""
        v = {l: bounded(self.narrow[str(l)](block, site_class)) for l, block in x.items()}
        collected: dict[int, list[torch.Tensor]] = {lo: [] for lo in self.irreps}
        for (l1, l2), targets in self.paths.items():
            pairs = (v[l1][:, :, None] * v[l2][:, None]).flatten(1, 2)
            for lo, part in couple(pairs, l1, l2, targets).items():
                collected[lo].append(part)
        return {
            lo: self.mix[str(lo)](join_channels(parts, self.members), site_class)
            for lo, parts in collected.items()
        }
