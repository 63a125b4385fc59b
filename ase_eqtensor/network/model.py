"""The network: crystals in, physically valid response tensors out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..crystal.site_classes import SITE_CLASSES
from ..quantities import POLAR, QUANTITIES, Head, Quantity, heads
from ..tensors.exponential import exponentials, symmetric_matrix
from ..tensors.irreps import dimension, parse_irreps
from .classes import ClassMode
from .convolution import EdgeBasis, EdgeBlock, blocks_by_l
from .elements import Descriptors, ElementEmbedding
from .interaction import Interaction
from .local_classes import LocalClasses
from .members import split_members
from .readout import Readout, crystal_mean
from .rest import RestDistance
from .scaling import Scaling


@dataclass(frozen=True)
class Architecture:
    """What defines the network besides its weights; stored in the model card.

    hidden: irreps of the node features in e3nn's notation, natural parity.
    output: those after the last interaction, which the heads read; only l = 0, 2, 4 matter there.
    odd: those that heads of odd parity read, after an interaction of their own in place of the
        last, which only a network with such heads has.
    layers: number of interactions.
    lmax: degree of the edge harmonics; 4 or more, or cubic crystals come out isotropic.
    radial: number of radial functions.
    cutoff: in Å.
    embedding: channels of the element embedding.
    descriptors: what the embedding is told of an element (network/elements.py).
    head: width of the perceptron in each head.
    mean_neighbours: fixed normalisation of the sum over neighbours.
    class_mode: how site-symmetry classes enter message and update (network/classes.py).
    members: networks in the ensemble; training makes ensembles of one.
    densities: whether heads that are densities (`Head.density`) vary about what volume, distances
        and neighbours make of them (network/scaling.py): empty space dilutes a tensor, pressure
        stiffens a crystal. Without it heads do not know of the volume.
    heads: names of what is predicted, see `ase_eqtensor.quantities.heads`; training sets them to
        those that its data teach.
    reference: head -> isotropic irreps components about which its arrays vary, one row for each
        member, or one row for all; of a density, those of its tensor per atom (times Å^3).
    """

    hidden: str = "64x0e + 32x1o + 32x2e"
    output: str = "64x0e + 32x2e + 32x4e"
    odd: str = "32x0e + 16x1o + 16x2o + 16x3o"
    layers: int = 2
    lmax: int = 4
    radial: int = 8
    cutoff: float = 6.0
    embedding: int = 32
    descriptors: Descriptors = "properties"
    head: int = 64
    mean_neighbours: float = 57.0
    class_mode: ClassMode = "shared"
    members: int = 1
    densities: bool = True
    heads: list[str] = field(default_factory=list)
    reference: dict[str, list[list[float]]] = field(default_factory=dict)

    def to_dict(self) -> dict:
        return asdict(self)


class Incoming(NamedTuple):
    """What the last interactions read, see `Interaction.forward`; `graph` has the site classes, or
    shares of them, that the network reads."""

    features: torch.Tensor
    element: torch.Tensor
    edges: list[EdgeBlock]
    graph: GraphBatch


class Reading(NamedTuple):
    """What the M members of a network say of B crystals.

    arrays: head -> (M, B, *form.shape) float64, such as the symmetric matrices ln C (M, B, 6, 6;
        Mandel).
    invariants: (M, B, C), the mean over atoms of the last layer's scalars, of which heads are made.
    strain: (M, B) float64, see `Scaling`; None of a network whose heads are no densities.
    """

    arrays: dict[str, torch.Tensor]
    invariants: torch.Tensor
    strain: torch.Tensor | None


class TensorNetwork(nn.Module):
    """Equivariant network that predicts all its quantities for a batch of crystals in one pass.

    `forward` returns, for each quantity (see `ase_eqtensor.quantities`) all heads of which the
    architecture has, its name -> (B, *form.shape) float64 for B crystals, in the Cartesian frame of
    the edge vectors. Tensors that are logarithms in the network come out positive definite.

    Raises ValueError for a head that no quantity declares.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = a = architecture
        hidden, last = parse_irreps(a.hidden), parse_irreps(a.output)
        odd = parse_irreps(a.odd, odd=True)
        self.element = ElementEmbedding(a.embedding, a.members, a.descriptors)
        self.edges = EdgeBasis(a.cutoff, a.radial, a.lmax)
        widths = [{0: a.embedding}] + [hidden] * (a.layers - 1) + [last]
        interaction = partial(
            Interaction,
            embedding=a.embedding,
            mode=a.class_mode,
            classes=len(SITE_CLASSES),
            members=a.members,
            radial=a.radial,
            lmax=a.lmax,
            mean_neighbours=a.mean_neighbours,
        )
        self.layers = nn.ModuleList(
            interaction(incoming, outgoing) for incoming, outgoing in zip(widths, widths[1:])
        )
        declared = _declared(a.heads)
        self.odd = None
        if any(head.form.odd for head in declared.values()):
            self.odd = interaction(widths[-2], odd, odd=True)
        self.heads = nn.ModuleDict(
            {
                name: Readout(odd if head.form.odd else last, head.form.irreps, a.head, a.members)
                for name, head in declared.items()
            }
        )
        if a.densities:
            self.rest = RestDistance(a.members)
        if a.class_mode == "local":
            self.local = LocalClasses(a.cutoff, a.members)
        # no buffers here: casting the network must not cost the tensor algebra its float64

    @classmethod
    def trained(cls, architecture: Architecture, state: dict[str, torch.Tensor]) -> "TensorNetwork":
        """Network in evaluation mode with the weights `state`; RuntimeError if they do not fit."""
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn and thrown away
            network = cls(architecture)
        network.load_state_dict(state)
        return network.eval().requires_grad_(False)

    def forward(self, graph: GraphBatch) -> dict[str, torch.Tensor]:
        means = {name: array.mean(0) for name, array in self.read(graph).arrays.items()}
        return self.tensors(means, graph.polar)

    def read(self, graph: GraphBatch) -> "Reading":
        """What the M members say of B crystals.

        The precision is that of the parameters, also inside someone's `torch.autocast`.
        """
        with torch.autocast(graph.vector.device.type, enabled=False):
            return self._read(graph)

    def incoming(self, graph: GraphBatch) -> "Incoming":
        """What the last interactions read of B crystals."""
        if self.architecture.class_mode == "local":
            graph = replace(graph, site_class=self.local(graph))
        element = self.element(graph.numbers)
        edges = self.edges(graph, element.dtype)
        features = element
        for layer in self.layers[:-1]:
            features = layer(features, element, edges, graph)
        return Incoming(features, element, edges, graph)

    def _read(self, graph: GraphBatch) -> "Reading":
        incoming = self.incoming(graph)
        pooled = crystal_mean(self.layers[-1](*incoming), graph)
        declared, a = heads(), self.architecture
        read = {False: pooled}  # by parity of the head
        if self.odd is not None:
            read[True] = self._odd(incoming, graph)
        scaling = Scaling.of(graph, a.cutoff, self.rest) if a.densities else None
        arrays = {
            name: self._array(declared[name], readout(read[declared[name].form.odd]), scaling)
            for name, readout in self.heads.items()
        }
        scalars = blocks_by_l(pooled, parse_irreps(a.output), a.members)[0][:, 0]
        invariants = split_members(scalars, a.members).transpose(0, 1)
        return Reading(arrays, invariants, None if scaling is None else scaling.strain)

    def _odd(self, incoming: "Incoming", graph: GraphBatch) -> torch.Tensor:
        """What heads of odd parity read; zero where symmetry forbids all that they could say."""
        assert self.odd is not None
        if graph.odd.any():
            return crystal_mean(self.odd(*incoming), graph)
        width = sum((2 * l + 1) * count for l, count in self.odd.outgoing.items())
        return incoming.features.new_zeros(len(graph.size), width * self.architecture.members)

    def _array(self, head: Head, components: torch.Tensor, scaling: Scaling | None) -> torch.Tensor:
        """(M, B, *form.shape) from irreps components (M, B, n) about the reference.

        Scaling stands outside the bound of logarithms, so that V times the tensor is the same
        however wide a gap without edges is.
        """
        reference = self._reference(head).to(components.device)
        basis = head.form.basis().to(components.device)
        if head.logarithm:
            array = symmetric_matrix(components, basis, reference)
        else:
            array = torch.tensordot(components.double() + reference, basis, dims=1)
        if scaling is None or not head.density:
            return array
        factor = scaling.logarithm(head).reshape(*array.shape[:2], *(1 for _ in head.form.shape))
        if not head.logarithm:
            return array * factor.exp()
        # its device is named, because torch's default may be another one
        unit = torch.eye(array.shape[-1], dtype=array.dtype, device=array.device)
        return array + factor * unit

    def _reference(self, head: Head) -> torch.Tensor:
        """(M or 1, 1, number of components), those with l > 0 zero."""
        rows = np.array(self.architecture.reference.get(head.name, [[]]), dtype=np.float64)
        rest = dimension(head.form.irreps) - rows.shape[1]
        return torch.from_numpy(np.pad(rows, [(0, 0), (0, rest)]))[:, None]

    @staticmethod
    def tensors(
        arrays: dict[str, torch.Tensor], polar: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Quantity -> (B, *form.shape), see the class, from arrays (B, *head.form.shape) of the
        heads: those of a member, or averages of them.

        `polar` (B, 3, 3) are the projectors on the directions of polar modes; without them every
        direction is polar.
        """
        wanted = [q for q in QUANTITIES.values() if all(head.name in arrays for head in q.heads)]
        said = _said(wanted, arrays)
        known = {} if polar is None else {POLAR: polar}
        return {
            q.name: q.from_heads(
                known | {head.name: said[head.name, bool(q.inverse_of)] for head in q.heads}
            )
            for q in wanted
        }


def _declared(names: list[str]) -> dict[str, Head]:
    """The heads of these names, in the order in which quantities declare them."""
    if unknown := set(names) - set(heads()):
        raise ValueError(f"no quantity declares the heads {', '.join(sorted(unknown))}")
    return {name: head for name, head in heads().items() if name in names}


def _said(
    quantities: Sequence[Quantity], arrays: Mapping[str, torch.Tensor]
) -> dict[tuple[str, bool], torch.Tensor]:
    """(head, whether inverted) -> (B, *head.form.shape) as `Quantity.from_heads` takes it, for what
    the quantities need; each exponential once, however many quantities share it."""
    needed = dict.fromkeys((head, bool(q.inverse_of)) for q in quantities for head in q.heads)
    logarithms = {
        (head.name, inverse): -arrays[head.name] if inverse else arrays[head.name]
        for head, inverse in needed
        if head.logarithm
    }
    plain = {(head.name, False): arrays[head.name] for head, _ in needed if not head.logarithm}
    return plain | exponentials(logarithms)
