"""The branch of a network as a network of its own, which reads what was pooled before."""

from typing import cast

import torch
from torch import nn

from ase_eqtensor.crystal.graph import GraphBatch
from ase_eqtensor.errors import DataError
from ase_eqtensor.network.classes import ClassWeights
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.network.readout import crystal_mean
from ase_eqtensor.quantities import heads
from ase_eqtensor.train.branch.pooled import Pooled


class Branch(nn.Module):
    """The odd interaction and the odd heads of a network of one member; they share its parameters.

    `forward` returns, like `TensorNetwork`, quantity -> (B, *form.shape) float64.
    """

    def __init__(self, network: TensorNetwork):
        super().__init__()
        if network.odd is None or network.architecture.class_mode == "full":
            raise DataError("a branch needs a head of odd parity, and no weights for every class")
        declared = heads()
        self.odd = network.odd
        self.heads = nn.ModuleDict(
            {n: head for n, head in network.heads.items() if declared[n].form.odd}
        )

    def forward(self, pooled: Pooled) -> dict[str, torch.Tensor]:
        convolution = self.odd.message
        messages: dict[int, list[torch.Tensor]] = {lo: [] for lo in convolution.outgoing}
        for li, degrees in convolution.degrees.items():
            filters = cast(ClassWeights, convolution.filters[str(li)])
            table, gain = filters.factors(pooled.site_class)
            for i, lf in enumerate(degrees):
                for lo in convolution.targets(lf, li):
                    by_radial = pooled.messages[lo, li, lf]
                    message = torch.einsum("nrmc,rc->nmc", by_radial, table[0, 0, i])
                    if gain is not None:
                        message = message * gain[:, 0, i][:, None]
                    messages[lo].append(message)
        mixed = convolution.mixed(messages, pooled.site_class)
        features = self.odd.updated(mixed, dict(pooled.features), pooled.element, pooled.site_class)
        mean = crystal_mean(features, cast(GraphBatch, pooled))
        arrays = {}
        for name, readout in self.heads.items():
            head = heads()[name]
            components = readout(mean)[0].double()
            array = torch.tensordot(components, head.form.basis(), dims=1)
            arrays[name] = array * pooled.logarithm[name].exp()[:, None, None]
        return TensorNetwork.tensors(arrays)
