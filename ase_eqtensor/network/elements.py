"""Element embedding: learned per element, plus what the periodic table says.

Tensors are scarce, and most elements are rare among them. Descriptors let a rare element borrow
from its neighbours in the table; what is learned says where it differs from them.
"""

import numpy as np
import torch
from ase.data import covalent_radii
from torch import nn

from .members import DEVICE, DTYPE, perceptron

ELEMENTS = 119  # atomic numbers 0 ... 118
NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86, 118)
# shells of each period, in the order in which they fill
_SHELLS = {1: "s", 2: "sp", 3: "sp", 4: "sdp", 5: "sdp", 6: "sfdp", 7: "sfdp"}
_CAPACITY = {"s": 2, "p": 6, "d": 10, "f": 14}


def descriptors() -> np.ndarray:
    """(119, 9) float64, row z for the element z, row 0 zero; zero mean and unit variance over the
    elements 1 ... 96.

    Columns: period; electrons in the valence s, p, d and f shells by the aufbau rule; square roots
    of the numbers of electrons missing to the next noble gas and beyond the last one; covalent
    radius and its square.
    """
    table = np.zeros((ELEMENTS, 9))
    for z in range(1, ELEMENTS):
        period = next(i for i, noble in enumerate(NOBLE_GASES) if z <= noble)
        beyond = z - NOBLE_GASES[period - 1]
        missing = NOBLE_GASES[period] - z
        filled, remaining = dict.fromkeys("spdf", 0), beyond
        for shell in _SHELLS[period]:
            filled[shell] = min(remaining, _CAPACITY[shell])
            remaining -= filled[shell]
        radius = covalent_radii[z]
        table[z] = period, *filled.values(), np.sqrt(missing), np.sqrt(beyond), radius, radius**2
    reference = table[1:97]
    table[1:] = (table[1:] - reference.mean(0)) / reference.std(0)
    return table


class ElementEmbedding(nn.Module):
    """Scalars (N, M width) for atomic numbers (N,) int64."""

    table: torch.Tensor

    def __init__(self, width: int, members: int = 1):
        super().__init__()
        learned = torch.randn(members, ELEMENTS, width, dtype=DTYPE, device=DEVICE)
        self.learned = nn.Parameter(learned * 0.3)
        table = torch.from_numpy(descriptors()).to(DTYPE)
        self.register_buffer("table", table, persistent=False)
        self.described = perceptron(members, table.shape[1], width, width)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        learned = self.learned[:, numbers].transpose(0, 1).flatten(1)
        descriptor = self.table[numbers].to(learned.dtype).repeat(1, len(self.learned))
        return learned + 2 * self.described(descriptor)
