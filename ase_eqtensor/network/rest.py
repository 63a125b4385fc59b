"""How far the neighbours would be if a crystal were at rest, read from all but its size."""

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from .convolution import edge_blocks
from .elements import ElementEmbedding
from .members import perceptron, split_members
from .readout import crystal_mean
from .surroundings import Surroundings

CHANNELS = 32
HIDDEN = 64
LAYERS = 2
# Gaussians in the logarithm of the distance over that of the neighbours
NEAREST, FARTHEST, RADIAL = -0.1, 1.0, 10
WIDTH = (FARTHEST - NEAREST) / (RADIAL - 1)
FALL = 4  # power of the distance with which neighbours matter less
SUM_SCALE = 0.3  # brings sums over neighbours to the order of one


class RestDistance(nn.Module):
    """`Surroundings.distance` of B crystals if they were at rest, (M, B) float64.

    A network of invariants on the elements and the shape of a crystal: lengths enter in units of
    the distance between neighbours, so that it says the same however much all of them are strained.
    Between -1 and 1, zero before it is taught, and without a gradient: tensors do not tell how far
    atoms are at rest.
    """

    def __init__(self, members: int = 1):
        super().__init__()
        self.members = members
        self.element = ElementEmbedding(CHANNELS, members, "properties")
        told = RADIAL + CHANNELS + RADIAL * CHANNELS
        self.layers = nn.ModuleList(
            perceptron(members, told, HIDDEN, CHANNELS) for _ in range(LAYERS)
        )
        self.distance = perceptron(members, CHANNELS, CHANNELS, 1)
        for parameter in self.distance[-1].parameters():
            nn.init.zeros_(parameter)
        self.requires_grad_(False)

    def forward(self, graph: GraphBatch, surroundings: Surroundings) -> torch.Tensor:
        features = self.element(graph.numbers)
        radial = self._radial(graph, surroundings).to(features.dtype)
        blocks = edge_blocks(graph, radial, [])
        counts = torch.cat([block.radial.sum(1) for block in blocks])
        counts = counts[:, None].expand(-1, self.members, -1)
        for layer in self.layers:
            sums = torch.cat(
                [b.radial.mT @ features[b.sender].unflatten(0, b.radial.shape[:2]) for b in blocks]
            )
            sums = split_members(sums, self.members).transpose(1, 2).flatten(2)
            told = [SUM_SCALE * counts, split_members(features, self.members), SUM_SCALE * sums]
            features = features + layer(torch.cat(told, dim=2).flatten(1))
        # far beyond what crystals have, and finite whatever the weights are
        return crystal_mean(self.distance(features), graph).T.double().tanh()

    def _radial(self, graph: GraphBatch, surroundings: Surroundings) -> torch.Tensor:
        """(S, RADIAL) of all slots, zero where a neighbour is beyond the cutoff."""
        size = surroundings.distance[graph.crystal[graph.receiver]]
        relative = surroundings.relative.log() - size
        centres = torch.linspace(
            NEAREST, FARTHEST, RADIAL, dtype=relative.dtype, device=relative.device
        )
        gaussians = torch.exp(-0.5 * ((relative[:, None] - centres) / WIDTH) ** 2)
        return gaussians * (surroundings.fading * torch.exp(-FALL * relative))[:, None]
