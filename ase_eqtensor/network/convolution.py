r"""The class-aware SO(3) convolution of Tensor Field Networks, with little work per edge.

The layer (N. Thomas et al., arXiv:1802.08219, with the class k(a) of the receiver added) is

    L^(lo)_{a c mo} = sum_{lf li mf mi} C^{lo mo}_{lf mf, li mi}
                      sum_{b in S(a)} F^{k(a) lf li}_c(r_ab) Y_{lf mf}(r_ab) V^{li}_{b c mi}

with learned radial functions expanded in a fixed basis, F^{k lf li}_c(r) = sum_n w^{k lf li}_{n c}
B_n(r). Clebsch-Gordan symbols C do not depend on the neighbour, so they leave the inner sum, and
what stays inside is, for each (lf, li), one product of small matrices per atom a,

    P_{a mf, mi c} = sum_b Y_{lf mf}(r_ab) [F^{k(a) lf li}_c(r_ab) V^{li}_{b c mi}].

The coupling to lo, and the mixing of channels, follow once per atom instead of once per edge.

The cost of an edge is memory traffic, not arithmetic. `NeighbourSum` therefore works through the
atoms in blocks that stay in the CPU cache, stores nothing per edge and computes the bracket again
for the gradient. There are no gradients with respect to positions.

Features are of natural parity (-1)^l (0e, 1o, 2e, ...), which is all that a tensor of even rank
needs at l = 0, 2, 4; products with lf + li + lo odd are left out. A tensor of odd rank needs odd
parity at every l > 0, so a convolution may have that for its result. Memory layout:
features are a flat array (N, D), D = sum_l (2l+1) M C_l, in which block l holds (2l+1, M C_l), with
the channels of the M members of an ensemble side by side (network/members.py).
"""

from typing import NamedTuple, cast

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..tensors.irreps import Irreps
from ..tensors.wigner import couple, product_degrees
from .classes import ClassLinear, ClassMode, ClassWeights
from .harmonics import spherical_harmonics
from .members import join_channels
from .radial import bessel_basis


def blocks_by_l(features: torch.Tensor, channels: Irreps, members: int) -> dict[int, torch.Tensor]:
    """Views {l: (N, 2l+1, M C_l)} of flat features (N, D); `channels` gives C_l."""
    widths = [(2 * l + 1) * c * members for l, c in channels.items()]
    blocks = features.split(widths, dim=1)
    return {l: block.unflatten(1, (2 * l + 1, -1)) for l, block in zip(channels, blocks)}


class EdgeBlock(NamedTuple):
    """Geometry as the layers read it: n atoms with K slots each for neighbours."""

    atoms: slice  # of the batch
    site_class: torch.Tensor  # (n,) of the receiving atoms
    sender: torch.Tensor  # (n K,) index of each neighbour in the batch
    radial: torch.Tensor  # (n, K, R) B_n; zero where a slot is not used
    harmonics: list[torch.Tensor]  # (n, K, 2l+1) Y_lm for l = 0 ... lmax


class EdgeBasis(nn.Module):
    """B_n, n = 1 ... `radial`, and Y_lm, l = 0 ... `lmax`, of every neighbour; no parameters."""

    def __init__(self, cutoff: float, radial: int, lmax: int):
        super().__init__()
        self.cutoff, self.radial, self.lmax = cutoff, radial, lmax

    def forward(self, graph: GraphBatch, dtype: torch.dtype) -> list[EdgeBlock]:
        """The blocks of a batch; lengths are evaluated in float64, all is given in `dtype`."""
        if graph.vector.requires_grad:
            raise NotImplementedError("the network has no gradient with respect to positions")
        distance = graph.vector.norm(dim=1)
        radial = bessel_basis(distance, self.cutoff, self.radial).to(dtype)
        direction = (graph.vector / distance[:, None]).to(dtype)
        return edge_blocks(graph, radial, spherical_harmonics(direction, self.lmax))


def edge_blocks(
    graph: GraphBatch, radial: torch.Tensor, harmonics: list[torch.Tensor]
) -> list[EdgeBlock]:
    """The blocks of a batch from B_n (S, R) and Y_lm (S, 2l+1) for l = 0 ... in all its slots."""
    blocks, atom, slot = [], 0, 0
    for n, k in graph.blocks:
        atoms, slots = slice(atom, atom + n), slice(slot, slot + n * k)
        atom, slot = atoms.stop, slots.stop
        blocks.append(
            EdgeBlock(
                atoms,
                graph.site_class[atoms],
                graph.sender[slots],
                radial[slots].unflatten(0, (n, k)),
                [y[slots].unflatten(0, (n, k)) for y in harmonics],
            )
        )
    return blocks


class NeighbourSum(torch.autograd.Function):
    """P of the module's docstring for one li and its degrees lf: (N, 2lf+1, (2li+1) C) for each.

    Arguments of `apply`: features (N, (2li+1) C); weights (classes or 1, degrees, R, (2li+1) C),
    those of F repeated for every mi; the blocks of EdgeBasis; the degrees lf.
    """

    @staticmethod
    def forward(ctx, features, weights, blocks: list[EdgeBlock], degrees: tuple[int, ...]):
        ctx.save_for_backward(features, weights)
        ctx.geometry = blocks, degrees
        width = features.shape[1]
        out = [features.new_empty(len(features), 2 * lf + 1, width) for lf in degrees]
        scratch = features.new_empty(2, _largest(blocks), width)
        for block in blocks:
            v, product = _rows(scratch, block)
            torch.index_select(features, 0, block.sender, out=v.view(-1, width))
            w = _of_class(weights, block.site_class)
            for i, lf in enumerate(degrees):
                torch.bmm(block.radial, w[:, i], out=product).mul_(v)
                torch.bmm(block.harmonics[lf].mT, product, out=out[i][block.atoms])
        return tuple(out)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *gradients):
        features, weights = ctx.saved_tensors
        blocks, degrees = ctx.geometry
        width = features.shape[1]
        grad_features, grad_weights = torch.zeros_like(features), torch.zeros_like(weights)
        scratch = features.new_empty(4, _largest(blocks), width)
        for block in blocks:
            v, f, grad_product, grad_v = _rows(scratch, block)
            torch.index_select(features, 0, block.sender, out=v.view(-1, width))
            w = _of_class(weights, block.site_class)
            k = block.site_class if len(weights) > 1 else block.sender.new_zeros(len(w))
            grad_v.zero_()
            for i, lf in enumerate(degrees):
                torch.bmm(block.harmonics[lf], gradients[i][block.atoms], out=grad_product)
                torch.bmm(block.radial, w[:, i], out=f)
                grad_v.addcmul_(grad_product, f)
                per_atom = torch.bmm(block.radial.mT, grad_product.mul_(v))
                grad_weights[:, i].index_add_(0, k, per_atom)
            grad_features.index_add_(0, block.sender, grad_v.view(-1, width))
        return grad_features, grad_weights, None, None


def _largest(blocks: list[EdgeBlock]) -> int:
    return max(len(block.sender) for block in blocks)


def _rows(scratch: torch.Tensor, block: EdgeBlock) -> torch.Tensor:
    """The first n K slots of scratch arrays (m, slots, width), as (m, n, K, width)."""
    return scratch[:, : len(block.sender)].unflatten(1, block.radial.shape[:2])


def _of_class(weights: torch.Tensor, site_class: torch.Tensor) -> torch.Tensor:
    """Weights (n, ...) of atoms of the given classes (n,)."""
    if len(weights) == 1:
        return weights.expand(len(site_class), *weights.shape[1:])
    return weights[site_class]


class Convolution(nn.Module):
    """Message function of one layer: pooled products, coupling, class-indexed mixing.

    Args:
        incoming, outgoing: channels by l of the neighbours' features and of the result; an l of
            `outgoing` collects every path (lf, li -> lo) that leads to it.
        radial: number R of radial functions.
        lmax: largest degree lf of the edge harmonics.
        mean_neighbours: fixed normalisation, the typical number of neighbours in training data.
        mode, classes, members: see `ClassWeights`.
        odd: whether the l > 0 of `outgoing` are of odd instead of natural parity.
    """

    def __init__(
        self,
        incoming: Irreps,
        outgoing: Irreps,
        radial: int,
        lmax: int,
        mean_neighbours: float,
        mode: ClassMode,
        classes: int,
        members: int = 1,
        odd: bool = False,
    ):
        super().__init__()
        self.incoming, self.outgoing, self.members = incoming, outgoing, members
        self.lmax, self.odd = lmax, odd
        self.norm = mean_neighbours**-0.5
        self.degrees: dict[int, tuple[int, ...]] = {}  # li -> the lf that couple it to some lo
        self.filters = nn.ModuleDict()
        fan_in = dict.fromkeys(outgoing, 0)
        for li, width in incoming.items():
            degrees = tuple(lf for lf in range(lmax + 1) if self.targets(lf, li))
            self.degrees[li] = degrees
            self.filters[str(li)] = ClassWeights(
                (len(degrees), radial, width), radial**-0.5, mode, classes, members
            )
            for lf in degrees:
                for lo in self.targets(lf, li):
                    fan_in[lo] += width
        self.mix = nn.ModuleDict(
            {
                str(lo): ClassLinear(fan_in[lo], c, mode, classes, members)
                for lo, c in outgoing.items()
            }
        )

    def targets(self, lf: int, li: int) -> tuple[int, ...]:
        """The degrees lo that the path (lf, li) leads to in their parity."""
        return product_degrees(lf, li, self.outgoing, self.odd)

    def forward(
        self, features: torch.Tensor, edges: list[EdgeBlock], graph: GraphBatch
    ) -> dict[int, torch.Tensor]:
        """{lo: (N, 2lo+1, M C_lo)} from features (N, D) of the same atoms as `graph`."""
        messages: dict[int, list[torch.Tensor]] = {lo: [] for lo in self.outgoing}
        for li, block in blocks_by_l(features, self.incoming, self.members).items():
            degrees = self.degrees[li]
            filters = cast(ClassWeights, self.filters[str(li)])
            table, gain = filters.factors(graph.site_class)
            weights = table.movedim(0, 3).flatten(3) * self.norm
            weights = weights[..., None, :].expand(-1, -1, -1, 2 * li + 1, -1).flatten(3)
            pooled = NeighbourSum.apply(block.flatten(1), weights, edges, degrees)
            for i, (lf, product) in enumerate(zip(degrees, pooled)):
                product = product.view(len(product), -1, block.shape[2])
                if gain is not None:
                    product = product * gain[:, :, i].flatten(1)[:, None]
                for lo, message in couple(product, lf, li, self.targets(lf, li)).items():
                    messages[lo].append(message)
        return self.mixed(messages, graph.site_class)

    def mixed(
        self, messages: dict[int, list[torch.Tensor]], site_class: torch.Tensor
    ) -> dict[int, torch.Tensor]:
        """The result from the messages {lo: [(N, 2lo+1, M C_li) of each path]}."""
        return {
            lo: self.mix[str(lo)](join_channels(paths, self.members), site_class)
            for lo, paths in messages.items()
        }
