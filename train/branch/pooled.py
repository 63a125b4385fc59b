"""What the branch reads of crystals, as far as no weight of its own is in it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from ase_eqtensor.crystal.graph import CrystalGraph, collate
from ase_eqtensor.network.convolution import (
    Convolution,
    EdgeBlock,
    NeighbourSum,
    blocks_by_l,
)
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.network.scaling import Scaling
from ase_eqtensor.quantities import heads
from ase_eqtensor.tensors.wigner import couple

Path = tuple[int, int, int]  # degrees (lo, li, lf) of what comes out, of features and of harmonics


class Pooled(NamedTuple):
    """B crystals of N atoms, of a network of one member.

    messages: path -> (N, R, 2lo+1, C_li), coupled sums over neighbours with each radial function.
    features: l -> (N, 2l+1, C_l) that the branch reads. element: (N, E).
    site_class: (N,) or, of local classes, (N, 1, classes).
    logarithm: head -> (B,) of the density about which it varies.
    crystal: (N,) of each atom. size: (B,) atoms.
    """

    messages: Mapping[Path, torch.Tensor]
    features: Mapping[int, torch.Tensor]
    element: torch.Tensor
    site_class: torch.Tensor
    logarithm: Mapping[str, torch.Tensor]
    crystal: torch.Tensor
    size: torch.Tensor

    @classmethod
    def of(cls, network: TensorNetwork, crystal: CrystalGraph) -> "Pooled":
        """Those of one crystal; the network, of one member, has the branch."""
        assert network.odd is not None and network.architecture.members == 1
        graph = collate([crystal])
        with torch.no_grad():
            incoming = network.incoming(graph)
            features = blocks_by_l(incoming.features, network.odd.incoming, 1)
            scaling = Scaling.of(graph, network.architecture.cutoff, network.rest)
            odd = {name for name, head in heads().items() if head.form.odd}
            return cls(
                _messages(network.odd.message, features, incoming.edges),
                {l: block.clone() for l, block in features.items()},
                incoming.element,
                incoming.graph.site_class,
                {name: scaling.logarithm(heads()[name])[0] for name in odd},
                graph.crystal,
                graph.size,
            )

    @classmethod
    def joined(cls, parts: Sequence["Pooled"]) -> "Pooled":
        """Those of several single crystals as one."""
        size = torch.cat([part.size for part in parts])
        return cls(
            _joined([part.messages for part in parts]),
            _joined([part.features for part in parts]),
            torch.cat([part.element for part in parts]),
            torch.cat([part.site_class for part in parts]),
            _joined([part.logarithm for part in parts]),
            torch.repeat_interleave(torch.arange(len(size)), size),
            size,
        )

    def to(self, device) -> "Pooled":
        def moved(field):
            if isinstance(field, Mapping):
                return {key: value.to(device) for key, value in field.items()}
            return field.to(device)

        return Pooled(*map(moved, self))


def _joined(parts: Sequence[Mapping]) -> dict:
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def _messages(
    convolution: Convolution, features: Mapping[int, torch.Tensor], edges: list[EdgeBlock]
) -> dict[Path, torch.Tensor]:
    """The sums over neighbours, with each radial function for itself."""
    radial = edges[0].radial.shape[-1]
    found: dict[Path, list[torch.Tensor]] = {}
    for li, block in features.items():
        degrees = convolution.degrees[li]
        flat = block.flatten(1)
        for n in range(radial):
            alone = flat.new_zeros(1, len(degrees), radial, flat.shape[1])
            alone[:, :, n] = convolution.norm
            sums = NeighbourSum.apply(flat, alone, edges, degrees)
            for lf, product in zip(degrees, sums):
                product = product.view(len(product), -1, block.shape[2])
                targets = convolution.targets(lf, li)
                for lo, message in couple(product, lf, li, targets).items():
                    found.setdefault((lo, li, lf), []).append(message)
    return {path: torch.stack(parts, dim=1) for path, parts in found.items()}
