r"""The class-aware SO(3) convolution of Tensor Field Networks, done on nodes instead of edges.

The layer (N. Thomas et al., arXiv:1802.08219, with the class k(a) of the receiver added) is

    L^(lo)_{a c mo} = sum_{lf li mf mi} C^{lo mo}_{lf mf, li mi}
                      sum_{b in S(a)} F^{k(a) lf li}_c(r_ab) Y_{lf mf}(r_ab) V^{li}_{b c mi}

with learned radial functions expanded in a fixed basis, F^{k lf li}_c(r) = sum_n w^{k lf li}_{n c}
B_n(r). The weights then leave the sum over neighbours, which becomes

    M_{a n lf mf, li c mi} = sum_b [B_n(r_ab) Y_{lf mf}(r_ab)] V^{li}_{b c mi}

This is a plain matrix product per atom (neighbours are the contracted axis), without weights and
without Clebsch-Gordan symbols. Weights, classes and the coupling to lo are applied once per atom
afterwards. The bracket depends on the geometry alone and is shared by all layers.

Features are of natural parity (-1)^l only (0e, 1o, 2e, ...). This is all that a tensor of
even rank needs at l = 0, 2, 4; products with lf + li + lo odd are left out. Memory layout: a
feature is a flat (N, sum_l (2l+1) C_l) array, block l holding (2l+1, C_l).
"""

import torch
from e3nn import o3
from torch import nn

from ..crystal.graph import GraphBatch
from ..tensors.irreps import clebsch_gordan
from .classes import ClassLinear, ClassMode, ClassWeights
from .radial import bessel_basis

Channels = dict[int, int]  # degree l -> number of channels C_l


def blocks_by_l(features: torch.Tensor, channels: Channels) -> dict[int, torch.Tensor]:
    """Views {l: (N, 2l+1, C_l)} of flat features (N, D)."""
    widths = [(2 * l + 1) * c for l, c in channels.items()]
    parts = features.split(widths, dim=1)
    return {l: p.unflatten(1, (2 * l + 1, c)) for (l, c), p in zip(channels.items(), parts)}


class EdgeFilter(nn.Module):
    """[B_n(r) Y_lm(r)] of every edge, gathered into neighbour blocks; no parameters."""

    def __init__(self, cutoff: float, radial: int, lmax: int):
        super().__init__()
        self.cutoff, self.radial, self.lmax = cutoff, radial, lmax

    def forward(self, graph: GraphBatch, dtype: torch.dtype) -> list[torch.Tensor]:
        """Per neighbour block (n, K, (lmax+1)^2 * radial), ordered (l m, n); padding is zero."""
        distance = graph.vector.norm(dim=1)
        radial = bessel_basis(distance, self.cutoff, self.radial)
        harmonics = o3.spherical_harmonics(
            list(range(self.lmax + 1)), graph.vector, normalize=True, normalization="component"
        )
        edge = (harmonics[:, :, None] * radial[:, None, :]).flatten(1).to(dtype)
        edge = torch.cat([edge, edge.new_zeros(1, edge.shape[1])])
        return [edge[block.edges] for block in graph.blocks]


class Convolution(nn.Module):
    """Message function of one layer: pooled moments, class-indexed radial weights, coupling.

    Args:
        incoming, outgoing: channels by l of the neighbours' features and of the result; an l of
            `outgoing` collects every path (lf, li -> lo) that leads to it.
        radial: number of radial functions.
        lmax: largest degree lf of the edge harmonics.
        mean_neighbours: fixed normalisation, the typical number of neighbours in training data.
    """

    def __init__(
        self,
        incoming: Channels,
        outgoing: Channels,
        radial: int,
        lmax: int,
        mean_neighbours: float,
        mode: ClassMode,
        classes: int,
    ):
        super().__init__()
        self.incoming, self.outgoing = incoming, outgoing
        self.radial, self.lmax = radial, lmax
        self.norm = mean_neighbours**-0.5
        self.degrees: dict[int, list[int]] = {}  # li -> the lf that couple it to some lo
        self.filters = nn.ModuleDict()
        fan_in = dict.fromkeys(outgoing, 0)
        for li, width in incoming.items():
            degrees = [lf for lf in range(lmax + 1) if self._targets(lf, li)]
            self.degrees[li] = degrees
            self.filters[str(li)] = ClassWeights(
                (len(degrees), radial, width), radial**-0.5, mode, classes
            )
            for lf in degrees:
                for lo in self._targets(lf, li):
                    fan_in[lo] += width
        self.mix = nn.ModuleDict(
            {str(lo): ClassLinear(fan_in[lo], c, mode, classes) for lo, c in outgoing.items()}
        )

    def _coupling(self, lf: int, li: int) -> torch.Tensor:
        """Clebsch-Gordan matrix (sum_lo (2lo+1), (2lf+1)(2li+1)) onto all lo of this path."""
        return torch.cat(
            [
                clebsch_gordan(lf, li, lo).flatten(0, 1).T * (2 * lo + 1) ** 0.5
                for lo in self._targets(lf, li)
            ]
        )

    def _targets(self, lf: int, li: int) -> list[int]:
        return [
            lo for lo in self.outgoing if abs(lf - li) <= lo <= lf + li and (lf + li + lo) % 2 == 0
        ]

    def forward(
        self, features: torch.Tensor, edges: list[torch.Tensor], graph: GraphBatch
    ) -> dict[int, torch.Tensor]:
        """{lo: (N, 2lo+1, C_lo)} from features (N, D) and the blocks of EdgeFilter."""
        table = {li: self.filters[str(li)].table() * self.norm for li in self.incoming}
        coupling = {
            (lf, li): self._coupling(lf, li).to(features)
            for li, degrees in self.degrees.items()
            for lf in degrees
        }
        neighbours = torch.cat([features[graph.sender], features.new_zeros(1, features.shape[1])])
        parts = []
        for block, edge in zip(graph.blocks, edges):
            senders = blocks_by_l(neighbours[block.edges].flatten(0, 1), self.incoming)
            parts.append(self._block(edge, senders, table, coupling, graph.site_class[block.atoms]))
        out = {}
        for lo in self.outgoing:
            paths = torch.cat([part[lo] for part in parts])[graph.inverse]
            out[lo] = self.mix[str(lo)](paths, graph.site_class)
        return out

    def _block(
        self,
        edge: torch.Tensor,
        senders: dict[int, torch.Tensor],
        table: dict[int, torch.Tensor],
        coupling: dict[tuple[int, int], torch.Tensor],
        site_class: torch.Tensor,
    ) -> dict[int, torch.Tensor]:
        """{lo: (n, 2lo+1, paths * channels)} before mixing, for one neighbour block."""
        atoms, slots, _ = edge.shape
        by_degree = edge.split([(2 * lf + 1) * self.radial for lf in range(self.lmax + 1)], 2)
        collected: dict[int, list[torch.Tensor]] = {lo: [] for lo in self.outgoing}
        for li, sender in senders.items():
            size = 2 * li + 1
            weights = table[li] if len(table[li]) == 1 else table[li][site_class]
            degrees = self.degrees[li]
            filters = torch.cat([by_degree[lf] for lf in degrees], 2).transpose(1, 2)
            moments = torch.bmm(filters, sender.reshape(atoms, slots, -1))
            moments = moments.view(atoms, -1, self.radial, size, sender.shape[-1])
            # one split, because a slice per degree would zero-fill the whole gradient each time
            moments = moments.split([2 * lf + 1 for lf in degrees], 1)
            for i, (lf, moment) in enumerate(zip(degrees, moments)):
                # moment (n, 2lf+1, radial, 2li+1, C), weights (n or 1, lf, radial, C)
                weighted = (moment * weights[:, None, i, :, None, :]).sum(2)
                coupled = torch.matmul(coupling[lf, li], weighted.flatten(1, 2))
                targets = self._targets(lf, li)
                for lo, part in zip(targets, coupled.split([2 * lo + 1 for lo in targets], 1)):
                    collected[lo].append(part)
        return {lo: torch.cat(parts, 2) for lo, parts in collected.items()}
