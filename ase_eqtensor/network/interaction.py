"""One layer: class-aware message (convolution), class-aware update and gate non-linearity."""

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..tensors.irreps import Irreps
from .classes import ClassLinear, ClassMode
from .convolution import Convolution, EdgeBlock, blocks_by_l
from .members import MemberLinear, split_members

SILU_GAIN = 1.6790  # gives silu(x), x normal, the second moment 1
SIGMOID_GAIN = 1.8462  # the same for sigmoid


class Interaction(nn.Module):
    """h_a <- gate( message^k(a) + update^k(a)(h_a) + element(a) ), k(a) the site-symmetry class.

    Scalars pass through SiLU; every channel with l > 0 is multiplied by the sigmoid of a scalar of
    its own (gate of M. Weiler et al., NeurIPS 2018).

    Args:
        incoming, outgoing: channels by l of the features before and after; both contain l = 0.
        embedding: number of scalar channels that describe the element.
        mode, classes, members: see `ClassWeights`.
        odd: whether the l > 0 of `outgoing` are of odd instead of natural parity.
        convolution: further arguments of `Convolution`.
    """

    def __init__(
        self,
        incoming: Irreps,
        outgoing: Irreps,
        embedding: int,
        mode: ClassMode,
        classes: int,
        members: int = 1,
        odd: bool = False,
        **convolution,
    ):
        super().__init__()
        self.incoming, self.outgoing, self.members = incoming, outgoing, members
        gates = sum(c for l, c in outgoing.items() if l > 0)
        gated = {**outgoing, 0: outgoing[0] + gates}
        self.message = Convolution(
            incoming, gated, mode=mode, classes=classes, members=members, odd=odd, **convolution
        )
        self.update = nn.ModuleDict(
            {
                str(l): ClassLinear(incoming[l], c, mode, classes, members)
                for l, c in gated.items()
                if l in incoming and l in self.message.targets(0, l)  # of the same parity
            }
        )
        self.element = MemberLinear(members, embedding, gated[0])

    def forward(
        self,
        features: torch.Tensor,
        element: torch.Tensor,
        edges: list[EdgeBlock],
        graph: GraphBatch,
    ) -> torch.Tensor:
        """(N, D_in) -> (N, D_out), given the element embedding (N, M embedding)."""
        incoming = blocks_by_l(features, self.incoming, self.members)
        message = self.message(features, edges, graph)
        return self.updated(message, incoming, element, graph.site_class)

    def updated(
        self,
        message: dict[int, torch.Tensor],
        incoming: dict[int, torch.Tensor],
        element: torch.Tensor,
        site_class: torch.Tensor,
    ) -> torch.Tensor:
        """(N, D_out) from messages and features by l, (N, 2l+1, M C_l)."""
        total = dict(message)
        for key, update in self.update.items():
            l = int(key)
            total[l] = total[l] + update(incoming[l], site_class)
        invariants = split_members(total[0][:, 0] + self.element(element), self.members)
        scalars, *gates = invariants.split(list(self.outgoing.values()), dim=2)
        out = [nn.functional.silu(scalars).flatten(1) * SILU_GAIN]
        for l, gate in zip(list(self.outgoing)[1:], gates):
            gate = torch.sigmoid(gate).flatten(1)[:, None] * SIGMOID_GAIN
            out.append((total[l] * gate).flatten(1))
        return torch.cat(out, dim=1)
