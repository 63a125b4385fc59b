"""The network: crystals in, physically valid response tensors out."""

from dataclasses import asdict, dataclass, field

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..crystal.symmetry import SITE_CLASSES
from ..properties import HEADS
from ..tensors.exponential import exponential, symmetric_matrix
from ..tensors.irreps import dimension, parse_irreps, rank2_basis, stiffness_basis
from .classes import ClassMode
from .convolution import EdgeBasis
from .elements import ElementEmbedding
from .interaction import Interaction
from .readout import Head, crystal_mean


@dataclass(frozen=True)
class Architecture:
    """What defines the network besides its weights; stored in the model card.

    hidden: irreps of the node features in e3nn's notation, natural parity.
    output: those after the last interaction, which the heads read; only l = 0, 2, 4 matter there.
    layers: number of interactions.
    lmax: degree of the edge harmonics; 4 or more, or cubic crystals come out isotropic.
    radial: number of radial functions.
    cutoff: in Å.
    embedding: channels of the element embedding.
    head: width of the perceptron in each head.
    mean_neighbours: fixed normalisation of the sum over neighbours.
    class_mode: how site-symmetry classes enter message and update (network/classes.py).
    members: networks in the ensemble; training makes ensembles of one.
    reference: head -> isotropic irreps components about which its tensors vary, one row for each
        member, or one row for all.
    """

    hidden: str = "64x0e + 32x1o + 32x2e"
    output: str = "64x0e + 32x2e + 32x4e"
    layers: int = 2
    lmax: int = 4
    radial: int = 8
    cutoff: float = 6.0
    embedding: int = 32
    head: int = 64
    mean_neighbours: float = 57.0
    class_mode: ClassMode = "shared"
    members: int = 1
    reference: dict[str, list[list[float]]] = field(default_factory=dict)

    def to_dict(self) -> dict:
        return asdict(self)


class TensorNetwork(nn.Module):
    """Equivariant network that predicts all targets of a batch of crystals in one pass.

    `forward` returns (B crystals, float64, Cartesian frame of the edge vectors)
        stiffness        (B, 6, 6) Mandel, eV/Å^3, symmetric positive definite
        compliance       (B, 6, 6) Mandel, its inverse
        electronic       (B, 3, 3) eps_inf, eps_inf - 1 positive definite
        dielectric       (B, 3, 3) eps_total, eps_total - eps_inf positive definite
        formation_energy (B,) eV/atom
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = a = architecture
        hidden, last = parse_irreps(a.hidden), parse_irreps(a.output)
        self.element = ElementEmbedding(a.embedding, a.members)
        self.edges = EdgeBasis(a.cutoff, a.radial, a.lmax)
        widths = [{0: a.embedding}] + [hidden] * (a.layers - 1) + [last]
        self.layers = nn.ModuleList(
            Interaction(
                incoming,
                outgoing,
                a.embedding,
                a.class_mode,
                len(SITE_CLASSES),
                a.members,
                radial=a.radial,
                lmax=a.lmax,
                mean_neighbours=a.mean_neighbours,
            )
            for incoming, outgoing in zip(widths, widths[1:])
        )
        self.heads = nn.ModuleDict(
            {n: Head(last, ir, a.head, a.members) for n, ir in HEADS.items()}
        )
        # no buffers: casting the network must not cost the tensor algebra its float64
        self.float()  # whatever torch's default dtype is

    @classmethod
    def trained(cls, architecture: Architecture, state: dict[str, torch.Tensor]) -> "TensorNetwork":
        """Network in evaluation mode with the weights `state`; RuntimeError if they do not fit."""
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn and thrown away
            network = cls(architecture)
        network.load_state_dict(state)
        return network.eval().requires_grad_(False)

    def forward(self, graph: GraphBatch) -> dict[str, torch.Tensor]:
        return self.tensors({k: v.mean(0) for k, v in self.logarithms(graph).items()})

    def logarithms(self, graph: GraphBatch) -> dict[str, torch.Tensor]:
        """What the heads of the M members predict: symmetric float64 matrices ln C
        (M, B, 6, 6; Mandel), ln(eps_inf - 1) and ln(eps_total - eps_inf) (M, B, 3, 3), and the
        formation energy (M, B)."""
        element = self.element(graph.numbers)
        edges = self.edges(graph, element.dtype)
        features = element
        for layer in self.layers:
            features = layer(features, element, edges, graph)
        pooled = crystal_mean(features, graph)
        out = {}
        for name, head in self.heads.items():
            reference = self._reference(name).to(pooled.device)
            if name == "formation_energy":
                out[name] = (head(pooled).double() + reference)[..., 0]
            else:
                basis = stiffness_basis() if name == "stiffness" else rank2_basis()
                out[name] = symmetric_matrix(head(pooled), basis.to(pooled.device), reference)
        return out

    def _reference(self, head: str) -> torch.Tensor:
        """(M or 1, 1, number of components), those with l > 0 zero."""
        rows = torch.tensor(self.architecture.reference.get(head, [[]]), dtype=torch.float64)
        zeros = torch.zeros(len(rows), dimension(HEADS[head]) - rows.shape[1], dtype=torch.float64)
        return torch.cat([rows, zeros], 1)[:, None]

    @staticmethod
    def tensors(log: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Physical tensors (see the class) from the logarithms, or from averages of them."""
        stiffness, compliance = exponential(torch.stack([log["stiffness"], -log["stiffness"]]))
        electronic, ionic = exponential(torch.stack([log["electronic"], log["ionic"]]))
        electronic = electronic + torch.eye(3).to(electronic)
        return {
            "stiffness": stiffness,
            "compliance": compliance,
            "electronic": electronic,
            "dielectric": electronic + ionic,
            "formation_energy": log["formation_energy"],
        }
