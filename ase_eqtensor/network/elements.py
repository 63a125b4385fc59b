"""Element embedding: learned per element, plus what the periodic table says.

Tensors are scarce, and most elements are rare among them. Descriptors let a rare element borrow
from its neighbours in the table; what is learned says where it differs from them.
"""

import csv
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from ase.data import atomic_numbers, covalent_radii
from torch import nn

from .members import DEVICE, DTYPE, perceptron

ELEMENTS = 119  # atomic numbers 0 ... 118
LAST = 96  # the last element of which tables know enough; the scale of descriptors ends here, too
TABLE = Path(__file__).with_suffix(".csv")
Descriptors = Literal["shells", "properties"]
DESCRIPTORS = get_args(Descriptors)

NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86, 118)
# shells of each period, in the order in which they fill
_SHELLS = {1: "s", 2: "sp", 3: "sp", 4: "sdp", 5: "sdp", 6: "sfdp", 7: "sfdp"}
_CAPACITY = {"s": 2, "p": 6, "d": 10, "f": 14}
# columns of the table that span orders of magnitude, as the tensors do whose logarithm is learnt
_LOGARITHMIC = (
    "bulk_modulus_gpa",
    "shear_modulus_gpa",
    "molar_volume_cm3",
    "polarisability_bohr3",
)


def descriptors(kind: Descriptors = "shells") -> np.ndarray:
    """(119, n) float64, row z for the element z, row 0 zero; zero mean and unit variance over the
    elements 1 ... 96. n is 9 for "shells", 22 for "properties", which are beside those.

    Raises ValueError for another kind.
    """
    if kind not in DESCRIPTORS:
        raise ValueError(f"descriptors={kind!r} is none of {', '.join(DESCRIPTORS)}")
    table = _shells() if kind == "shells" else np.hstack([_shells(), _properties()])
    reference = table[1 : LAST + 1]
    table[1:] = (table[1:] - reference.mean(0)) / reference.std(0)
    return np.nan_to_num(table)  # what no table says is taken to be ordinary


def _shells() -> np.ndarray:
    """(119, 9): period; electrons in the valence s, p, d and f shells by the aufbau rule; square
    roots of the numbers of electrons missing to the next noble gas and beyond the last one;
    covalent radius and its square.
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
    return table


def _properties() -> np.ndarray:
    """(119, 13): the columns of the table, see its head, some as logarithms; NaN beyond its end.

    Gaps are interpolated linearly along the Mendeleev number, in which neighbours are alike in
    their chemistry; at either end of it the next value is taken.
    """
    lines = TABLE.read_text("utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    z = [atomic_numbers[row.pop("element")] for row in rows]
    columns = {key: np.array([float(row[key] or "nan") for row in rows]) for key in rows[0]}
    order = columns["mendeleev_number"]
    table = np.full((ELEMENTS, len(columns)), np.nan)
    table[0] = 0
    for i, (name, values) in enumerate(columns.items()):
        values = np.log(values) if name in _LOGARITHMIC else values
        known = np.flatnonzero(np.isfinite(values))
        known = known[np.argsort(order[known])]
        table[z, i] = np.interp(order, order[known], values[known])
    return table


class ElementEmbedding(nn.Module):
    """Scalars (N, M width) for atomic numbers (N,) int64."""

    table: torch.Tensor

    def __init__(self, width: int, members: int = 1, kind: Descriptors = "shells"):
        super().__init__()
        learned = torch.randn(members, ELEMENTS, width, dtype=DTYPE, device=DEVICE)
        self.learned = nn.Parameter(learned * 0.3)
        table = torch.from_numpy(descriptors(kind)).to(DTYPE)
        self.register_buffer("table", table, persistent=False)
        self.described = perceptron(members, table.shape[1], width, width)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        learned = self.learned[:, numbers].transpose(0, 1).flatten(1)
        descriptor = self.table[numbers].to(learned.dtype).repeat(1, len(self.learned))
        return learned + 2 * self.described(descriptor)
