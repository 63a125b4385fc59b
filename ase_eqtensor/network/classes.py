"""Weights with a class index: one weight tensor for every site-symmetry class of the receiver.

A weight w of the message and update functions becomes w^k, where k is the class of the receiving
atom. Four ways to build w^k from parameters:

    shared   w^k = w                              no classes
    gate     w^k = w * (1 + g^k)                  a factor per class, path and channel
    local    w * (1 + sum_k p^k g^k)              factors mixed by what surroundings tell of classes
    full     w^k separate for every class         the literal form

Class labels, and the shares p^k that surroundings tell (local_classes.py), are invariants of the
crystal, so every mode keeps equivariance.
"""

from typing import Literal, get_args

import torch
from torch import nn

from .members import DEVICE, DTYPE, map_channels, split_members

ClassMode = Literal["shared", "gate", "local", "full"]
CLASS_MODES = get_args(ClassMode)
GATED = ("gate", "local")


class ClassWeights(nn.Module):
    """Weight tensor w^k of a given shape; all modes start from the same w for every class.

    Args:
        shape: shape of one class's weight; the last axis is the output channel.
        std: standard deviation of the initial values.
        mode: see the module's docstring.
        classes: number of classes.
        members: number of networks in the ensemble, each with weights of its own.
    """

    def __init__(
        self, shape: tuple[int, ...], std: float, mode: ClassMode, classes: int, members: int = 1
    ):
        super().__init__()
        if mode not in CLASS_MODES:
            raise ValueError(f"class_mode={mode!r} is none of {', '.join(CLASS_MODES)}")
        self.mode = mode
        initial = torch.randn(members, 1, *shape, dtype=DTYPE, device=DEVICE) * std
        if mode == "full":
            initial = initial.expand(members, classes, *shape).clone()
        self.weight = nn.Parameter(initial)
        if mode in GATED:
            factors = (members, classes, *shape[:-2], 1, shape[-1])
            self.gate = nn.Parameter(torch.zeros(factors, dtype=DTYPE, device=DEVICE))

    def table(self) -> torch.Tensor:
        """Weights (members, classes, *shape), or (members, 1, *shape) if all classes share one."""
        if self.mode == "gate":
            return self.weight * (1 + self.gate)
        return self.weight  # of local ones what is common to all shares

    def factors(self, site_class: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The weights of atoms of the classes `site_class` (N,) or, for "local", with shares (N,
        members, classes) of them, in two factors.

        The first is shaped as `table` gives it. The second, for factors by class, is (N, members,
        ..., C) and multiplies the output channels, which is cheaper than a weight for every atom;
        else None.
        """
        if self.mode == "local":
            mixed = torch.einsum("nmk,mk...->nm...", site_class.to(self.gate), self.gate)
            return self.weight, 1 + mixed.squeeze(-2)
        if self.mode == "gate":
            return self.weight, 1 + self.gate[:, site_class].squeeze(-2).transpose(0, 1)
        return self.table(), None


class ClassLinear(nn.Module):
    """Channel-mixing map of one irrep with class-indexed weights: y^k = x w^k / sqrt(fan in).

    `std` is that of the initial w; with 1, y is as large as x.
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        mode: ClassMode,
        classes: int,
        members: int = 1,
        std: float = 1.0,
    ):
        super().__init__()
        self.weights = ClassWeights((fan_in, fan_out), std, mode, classes, members)
        self.norm = fan_in**-0.5

    def forward(self, x: torch.Tensor, site_class: torch.Tensor) -> torch.Tensor:
        """(N, m, M fan_in) -> (N, m, M fan_out) for atoms of the classes site_class (N,)."""
        table, gain = self.weights.factors(site_class)
        if table.shape[1] == 1:
            out = map_channels(x, table[:, 0] * self.norm)
        else:
            rows = split_members(x, len(table)).transpose(1, 2)
            weights = (table * self.norm)[:, site_class].transpose(0, 1)
            out = torch.matmul(rows, weights).transpose(1, 2).flatten(2)
        return out if gain is None else out * gain.flatten(1)[:, None]
