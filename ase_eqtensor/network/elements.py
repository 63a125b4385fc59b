"""Element embedding: learned per element, plus what the periodic table says.

Tensors are scarce and so are most elements in them. Descriptors let a rare element borrow from its
neighbours in the table; the learned part is left to say where it differs.
"""

import numpy as np
import torch
from ase.data import covalent_radii
from torch import nn

from .members import perceptron

ELEMENTS = 119  # atomic numbers 0 ... 118
NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86, 118)
# order in which the shells of each period fill, with the capacity of each (s, f, d, p)
_SHELLS = {1: "s", 2: "sp", 3: "sp", 4: "sdp", 5: "sdp", 6: "sfdp", 7: "sfdp"}
_CAPACITY = {"s": 2, "p": 6, "d": 10, "f": 14}


def descriptors() -> np.ndarray:
    """(119, 9) float64, zero mean and unit variance over the elements 1 ... 96; row 0 is zero.

    Period; electrons in the valence s, p, d and f shells by the aufbau rule; electrons missing to
    the next noble gas and beyond the last one; covalent radius and its square.
    """
    table = np.zeros((ELEMENTS, 9))
    for z in range(1, ELEMENTS):
        period = next(i for i, noble in enumerate(NOBLE_GASES) if z <= noble)
        beyond = z - NOBLE_GASES[period - 1]
        missing = NOBLE_GASES[period] - z
        filled, left = dict.fromkeys("spdf", 0), beyond
        for shell in _SHELLS[period]:
            filled[shell] = min(left, _CAPACITY[shell])
            left -= filled[shell]
        radius = covalent_radii[z]
        table[z] = period, *filled.values(), np.sqrt(missing), np.sqrt(beyond), radius, radius**2
    real = table[1:97]
    table[1:] = (table[1:] - real.mean(0)) / real.std(0)
    return table


class ElementEmbedding(nn.Module):
    """Scalars (N, M width) for atomic numbers (N,)."""

    def __init__(self, width: int, members: int = 1):
        super().__init__()
        self.learned = nn.Parameter(torch.randn(members, ELEMENTS, width) * 0.3)
        table = torch.from_numpy(descriptors())
        self.register_buffer("table", table, persistent=False)
        self.described = perceptron(members, table.shape[1], width, width)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        learned = self.learned[:, numbers].transpose(0, 1).flatten(1)
        known = self.table[numbers].to(learned.dtype).repeat(1, len(self.learned))
        return learned + 2 * self.described(known)
