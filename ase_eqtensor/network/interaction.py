"""One layer: class-aware message (convolution), class-aware update and gate non-linearity."""

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..tensors.irreps import Irreps
from .classes import ClassLinear, ClassMode
from .convolution import Convolution, EdgeBlock, blocks_by_l

SILU_GAIN = 1.6790  # makes the second moment of silu(x), x normal, equal one
SIGMOID_GAIN = 1.8462  # the same for sigmoid


class Interaction(nn.Module):
    """h_a <- gate( message^k(a) + update^k(a)(h_a) + element(a) ), k(a) the site-symmetry class.

    Scalars pass through SiLU; every channel with l > 0 is multiplied by the sigmoid of a scalar of
    its own (gate of M. Weiler et al., NeurIPS 2018).

    Args:
        incoming, outgoing: channels by l of the features before and after; both contain l = 0.
        embedding: number of scalar channels that describe the element.
        convolution: further arguments of `Convolution`.
    """

    def __init__(
        self,
        incoming: Irreps,
        outgoing: Irreps,
        embedding: int,
        mode: ClassMode,
        classes: int,
        **convolution,
    ):
        super().__init__()
        self.incoming, self.outgoing = incoming, outgoing
        gates = sum(c for l, c in outgoing.items() if l > 0)
        gated = {**outgoing, 0: outgoing[0] + gates}
        self.message = Convolution(incoming, gated, mode=mode, classes=classes, **convolution)
        self.update = nn.ModuleDict(
            {
                str(l): ClassLinear(incoming[l], c, mode, classes)
                for l, c in gated.items()
                if l in incoming
            }
        )
        self.element = nn.Linear(embedding, gated[0])

    def forward(
        self,
        features: torch.Tensor,
        element: torch.Tensor,
        edges: list[EdgeBlock],
        graph: GraphBatch,
    ) -> torch.Tensor:
        """(N, D_in) -> (N, D_out), given the element embedding (N, embedding)."""
        own = blocks_by_l(features, self.incoming)
        total = self.message(features, edges, graph)
        for l, update in self.update.items():
            total[int(l)] = total[int(l)] + update(own[int(l)], graph.site_class)
        scalars = total[0][:, 0] + self.element(element)
        kept, gates = scalars.tensor_split([self.outgoing[0]], dim=1)
        out = [nn.functional.silu(kept) * SILU_GAIN]
        for l, width in self.outgoing.items():
            if l > 0:
                gate, gates = gates.tensor_split([width], dim=1)
                out.append((total[l] * torch.sigmoid(gate)[:, None] * SIGMOID_GAIN).flatten(1))
        return torch.cat(out, dim=1)
