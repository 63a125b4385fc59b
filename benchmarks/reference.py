"""What training is compared with: the same network with e3nn's tensor product on every edge.

NequIP and similar networks write the layer in this way: a `uvu` TensorProduct of the neighbour's
features with the edge harmonics, weighted per edge by the radial functions, then a sum over the
edges of an atom. Parameters and results are those of the network it is made from (one member).
"""

import copy
from typing import NamedTuple

import torch
from e3nn import o3
from torch import nn

from ase_eqtensor.crystal.graph import GraphBatch
from ase_eqtensor.network.convolution import Convolution, EdgeBasis, blocks_by_l
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.network.radial import bessel_basis


def reference_network(network: TensorNetwork) -> TensorNetwork:
    """A copy of `network` that computes its messages with e3nn's TensorProduct."""
    slow = copy.deepcopy(network)
    slow.edges = EdgeListBasis(network.edges)
    for layer in (*slow.layers, *([slow.odd] if slow.odd is not None else [])):
        layer.message = ReferenceConvolution(layer.message)
    return slow


class EdgeList(NamedTuple):
    """E edges without padding.

    receiver, sender: (E,) int64, indices of atoms in the batch.
    radial: (E, R).
    harmonics: (E, (lmax+1)^2), ordered by l, then m.
    """

    receiver: torch.Tensor
    sender: torch.Tensor
    radial: torch.Tensor
    harmonics: torch.Tensor


class EdgeListBasis(nn.Module):
    """Radial basis and harmonics of the edges that are shorter than the cutoff."""

    def __init__(self, fast: EdgeBasis):
        super().__init__()
        self.cutoff, self.radial = fast.cutoff, fast.radial
        self.harmonics = o3.SphericalHarmonics(list(range(fast.lmax + 1)), True, "component")

    def forward(self, graph: GraphBatch, dtype: torch.dtype) -> EdgeList:
        distance = graph.vector.norm(dim=1)
        real = distance < self.cutoff
        slots = torch.tensor([k for n, k in graph.blocks for _ in range(n)], device=real.device)
        receiver = torch.repeat_interleave(slots)
        radial = bessel_basis(distance[real], self.cutoff, self.radial)
        harmonics = self.harmonics(graph.vector[real])
        return EdgeList(receiver[real], graph.sender[real], radial.to(dtype), harmonics.to(dtype))


class ReferenceConvolution(nn.Module):
    """`Convolution` edge by edge, with the parameters of the one that it is made from."""

    def __init__(self, fast: Convolution):
        super().__init__()
        self.incoming, self.norm = fast.incoming, fast.norm
        self.filters, self.mix = fast.filters, fast.mix
        self.paths = [  # in the order in which `Convolution` joins its channels
            (li, i, lf, lo)
            for lo in fast.outgoing
            for li, degrees in fast.degrees.items()
            for i, lf in enumerate(degrees)
            if lo in fast.targets(lf, li)
        ]
        position = {l: i for i, l in enumerate(fast.incoming)}
        parity = {lo: -1 if fast.odd and lo else (-1) ** lo for lo in fast.outgoing}
        self.product = o3.TensorProduct(
            o3.Irreps([(c, (l, (-1) ** l)) for l, c in fast.incoming.items()]),
            o3.Irreps.spherical_harmonics(fast.lmax),
            o3.Irreps([(fast.incoming[li], (lo, parity[lo])) for li, _, _, lo in self.paths]),
            [
                (position[li], lf, slot, "uvu", True)
                for slot, (li, _, lf, _) in enumerate(self.paths)
            ],
            irrep_normalization="component",
            path_normalization="none",
            internal_weights=False,
            shared_weights=False,
        ).to(next(fast.parameters()).dtype)
        self.widths = dict.fromkeys(fast.outgoing, 0)
        for li, _, _, lo in self.paths:
            self.widths[lo] += fast.incoming[li]

    def forward(
        self, features: torch.Tensor, edges: EdgeList, graph: GraphBatch
    ) -> dict[int, torch.Tensor]:
        """{lo: (N, 2lo+1, C_lo)} from features (N, D), as `Convolution.forward`."""
        blocks = blocks_by_l(features, self.incoming, 1).values()
        senders = torch.cat([b.transpose(1, 2).flatten(1) for b in blocks], 1)  # e3nn's (c, m)
        messages = self.product(senders[edges.sender], edges.harmonics, self._weights(edges, graph))
        pooled = messages.new_zeros(len(features), messages.shape[1])
        pooled = pooled.index_add(0, edges.receiver, messages)
        by_degree = pooled.split([(2 * lo + 1) * c for lo, c in self.widths.items()], 1)
        out = {}
        for (lo, width), flat in zip(self.widths.items(), by_degree):
            paths = flat.unflatten(1, (width, 2 * lo + 1)).transpose(1, 2)
            out[lo] = self.mix[str(lo)](paths, graph.site_class)
        return out

    def _weights(self, edges: EdgeList, graph: GraphBatch) -> torch.Tensor:
        """Radial functions of every path and channel, (E, weights of the product)."""
        table, gain = {}, {}
        for li, weights in self.filters.items():
            common, gain[li] = weights.factors(graph.site_class)
            table[li] = common[0] * self.norm
        # e3nn couples li and lf, `Convolution` lf and li, which differ in sign if their sum is odd
        rows = torch.cat(
            [(-1) ** (li + lf + lo) * table[str(li)][:, i] for li, i, lf, lo in self.paths], 2
        )
        if len(rows) > 1:
            return torch.einsum("en,enc->ec", edges.radial, rows[graph.site_class[edges.receiver]])
        radial = edges.radial @ rows[0]
        if None in gain.values():
            return radial
        factors = torch.cat([gain[str(li)][:, 0, i] for li, i, _, _ in self.paths], 1)
        return radial * factors[edges.receiver]
