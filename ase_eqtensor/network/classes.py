"""Weights with a class index: one weight tensor for every site-symmetry class of the receiver.

The crystal-group idea replaces a weight w of the message and update functions by w^k, where k is
the class of the receiving position. Four ways to build w^k from parameters:

    shared   w^k = w                              no classes
    gate     w^k = w * (1 + g^k)                  a factor per class, path and channel
    lowrank  w^k = w + sum_r a^k_r v_r            a rank-r class term on shared directions v_r
    full     w^k separate for every class         the literal form

Class labels are invariants of the crystal, so every mode keeps equivariance.
"""

from typing import Literal, get_args

import torch
from torch import nn

ClassMode = Literal["shared", "gate", "lowrank", "full"]
CLASS_MODES = get_args(ClassMode)
RANK = 4


class ClassWeights(nn.Module):
    """Weight tensor w^k of a given shape; all modes start from the same w for every class.

    Args:
        shape: shape of one class's weight; the last axis is the output channel.
        std: standard deviation of the initial values.
        mode: see the module's docstring.
        classes: number of classes.
    """

    def __init__(self, shape: tuple[int, ...], std: float, mode: ClassMode, classes: int):
        super().__init__()
        if mode not in CLASS_MODES:
            raise ValueError(f"class_mode={mode!r} is none of {', '.join(CLASS_MODES)}")
        self.mode = mode
        start = torch.randn(shape) * std
        if mode == "full":
            self.weight = nn.Parameter(start.expand(classes, *shape).clone())
        else:
            self.weight = nn.Parameter(start)
        if mode == "gate":
            self.gate = nn.Parameter(torch.zeros(classes, *shape[:-2], 1, shape[-1]))
        elif mode == "lowrank":
            self.coefficient = nn.Parameter(torch.zeros(classes, RANK))
            self.direction = nn.Parameter(torch.randn(RANK, *shape) * std)

    def table(self) -> torch.Tensor:
        """Weights of all classes, (classes or 1, *shape); the 1 stands for "the same for all"."""
        if self.mode == "gate":
            return self.weight * (1 + self.gate)
        if self.mode == "lowrank":
            return self.weight + torch.tensordot(self.coefficient, self.direction, dims=1)
        return self.weight if self.mode == "full" else self.weight[None]


class ClassLinear(nn.Module):
    """Channel-mixing map of one irrep with class-indexed weights: y^k = x w^k / sqrt(fan in)."""

    def __init__(self, fan_in: int, fan_out: int, mode: ClassMode, classes: int):
        super().__init__()
        self.weights = ClassWeights((fan_in, fan_out), 1.0, mode, classes)
        self.norm = fan_in**-0.5

    def forward(self, x: torch.Tensor, site_class: torch.Tensor) -> torch.Tensor:
        """(N, m, fan_in) -> (N, m, fan_out) for atoms of the classes site_class (N,)."""
        table = self.weights.table() * self.norm
        if len(table) == 1:
            return x @ table[0]
        return torch.bmm(x, table[site_class])
