"""Maps of an ensemble: M networks side by side, whose channels never mix.

Members share geometry, symmetry and the work per edge, so an ensemble is built as one network with
M groups of channels. Every parameter has the member as its first axis; a single network is an
ensemble of one. Features keep the members' channels side by side, (..., M C).

Parameters are drawn in single precision on the CPU, whatever torch's default type and device are:
a program may have set them for networks of its own. A network is moved once it is made.
"""

import torch
from torch import nn

DTYPE, DEVICE = torch.float32, "cpu"  # of parameters as they are drawn


def split_members(x: torch.Tensor, members: int) -> torch.Tensor:
    """View (..., M, C) of (..., M C)."""
    return x.unflatten(-1, (members, -1))


def join_channels(arrays: list[torch.Tensor], members: int) -> torch.Tensor:
    """One array (..., M sum_i C_i) from several (..., M C_i), each member's channels together."""
    if members == 1:
        return torch.cat(arrays, -1)
    return torch.cat([split_members(array, members) for array in arrays], -1).flatten(-2)


def map_channels(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """(..., M fan_in) -> (..., M fan_out) by a matrix per member.

    `weight` (M, fan_in, fan_out), `bias` (M, 1, fan_out).
    """
    rows = x.reshape(-1, *weight.shape[:2]).transpose(0, 1)
    out = torch.bmm(rows, weight) if bias is None else torch.baddbmm(bias, rows, weight)
    return out.transpose(0, 1).reshape(*x.shape[:-1], -1)


class MemberLinear(nn.Module):
    """Affine map of each member, (..., M fan_in) -> (..., M fan_out), initialised as nn.Linear."""

    def __init__(self, members: int, fan_in: int, fan_out: int):
        super().__init__()
        bound = fan_in**-0.5
        weight = torch.empty(members, fan_in, fan_out, dtype=DTYPE, device=DEVICE)
        bias = torch.empty(members, 1, fan_out, dtype=DTYPE, device=DEVICE)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound))
        self.bias = nn.Parameter(bias.uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return map_channels(x, self.weight, self.bias)


def perceptron(members: int, fan_in: int, hidden: int, fan_out: int) -> nn.Sequential:
    """(..., M fan_in) -> (..., M fan_out): two affine maps with SiLU between them."""
    return nn.Sequential(
        MemberLinear(members, fan_in, hidden), nn.SiLU(), MemberLinear(members, hidden, fan_out)
    )
