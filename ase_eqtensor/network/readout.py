"""From node features to the irreps of crystal tensors: mean over atoms, then one readout a head."""

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..tensors.irreps import Irreps
from .convolution import blocks_by_l
from .members import DEVICE, DTYPE, perceptron, split_members


def crystal_mean(features: torch.Tensor, graph: GraphBatch) -> torch.Tensor:
    """Mean over the atoms of each crystal, (N, D) -> (B, D); independent of the cell's size."""
    total = features.new_zeros(len(graph.size), features.shape[1])
    return total.index_add(0, graph.crystal, features) / graph.size[:, None].to(features.dtype)


class Readout(nn.Module):
    """Irreps components of one head from pooled features (B, D).

    Invariants of the crystal decide, through a small perceptron, the scalar outputs and how much
    each channel with l > 0 contributes to the outputs of its degree.
    """

    def __init__(self, channels: Irreps, irreps: Irreps, hidden: int, members: int = 1):
        super().__init__()
        self.channels, self.irreps, self.members = channels, irreps, members
        self.gates = [channels[l] for l in irreps if l > 0]
        self.scalars = perceptron(members, channels[0], hidden, irreps.get(0, 0) + sum(self.gates))
        self.mix = nn.ParameterDict(
            {
                str(l): torch.randn(members, channels[l], mul, dtype=DTYPE, device=DEVICE)
                for l, mul in irreps.items()
                if l > 0
            }
        )

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """(M, B, sum of 2l+1), components ordered by l, copy of the irrep, m."""
        blocks = blocks_by_l(pooled, self.channels, self.members)
        invariants = split_members(self.scalars(blocks[0][:, 0]), self.members)
        scalars, *gates = invariants.split([self.irreps.get(0, 0), *self.gates], dim=2)
        out = [scalars.transpose(0, 1)]
        for (l, mix), gate in zip(self.mix.items(), gates):
            x = split_members(blocks[int(l)], self.members) * (1 + gate[:, None])
            mixed = torch.einsum("bmec,ecr->ebrm", x, mix) * mix.shape[1] ** -0.5
            out.append(mixed.flatten(2))
        return torch.cat(out, dim=2)
