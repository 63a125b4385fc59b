"""From node features to the irreps of crystal tensors: mean over atoms, then one head a target."""

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..tensors.irreps import Irreps
from .convolution import blocks_by_l


def crystal_mean(features: torch.Tensor, graph: GraphBatch) -> torch.Tensor:
    """Mean over the atoms of each crystal, (N, D) -> (B, D); independent of the cell's size."""
    total = features.new_zeros(len(graph.size), features.shape[1])
    return total.index_add(0, graph.crystal, features) / graph.size[:, None].to(features.dtype)


class Head(nn.Module):
    """Irreps of one target from pooled features (B, D).

    Invariants of the crystal decide, through a small perceptron, the scalar outputs and how much
    each channel with l > 0 contributes to the outputs of its degree.
    """

    def __init__(self, channels: Irreps, irreps: Irreps, hidden: int):
        super().__init__()
        self.channels, self.irreps = channels, irreps
        gates = sum(channels[l] for l in irreps if l > 0)
        self.scalars = nn.Sequential(
            nn.Linear(channels[0], hidden), nn.SiLU(), nn.Linear(hidden, irreps[0] + gates)
        )
        self.mix = nn.ParameterDict(
            {str(l): torch.randn(channels[l], mul) for l, mul in irreps.items() if l > 0}
        )

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """(B, sum of 2l+1), components ordered by l, copy of the irrep, m."""
        blocks = blocks_by_l(pooled, self.channels)
        scalars, gates = self.scalars(blocks[0][:, 0]).tensor_split([self.irreps[0]], dim=1)
        out = [scalars]
        for l, mix in self.mix.items():
            width = self.channels[int(l)]
            gate, gates = gates.tensor_split([width], dim=1)
            mixed = (blocks[int(l)] * (1 + gate)[:, None]) @ mix * width**-0.5  # (B, 2l+1, mul)
            out.append(mixed.transpose(1, 2).flatten(1))
        return torch.cat(out, dim=1)
