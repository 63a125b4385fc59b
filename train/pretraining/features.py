"""What the last layers of a universal potential say of each atom."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ase_eqtensor.errors import DataError
from ase_eqtensor.potential.evaluation import batched, is_sevennet

LAYER = "equivariant_gate"  # how the modules end that leave a layer's features
ATOMS = 80  # read in one pass, about
LARGEST = 200.0  # where features are beyond, atoms are closer than the potential knows


class Features(NamedTuple):
    """Of P atoms: scalars (P, S) of the last two layers, and components (P, C, 5) of l = 2 of the
    last layer that has them, in the order of e3nn; both float16."""

    scalars: np.ndarray
    tensors: np.ndarray


def features(cells: Sequence[Atoms], calculator: BaseCalculator) -> list[Features | None]:
    """What a potential of SevenNet says of crystals; None where it is beyond all sense.

    Raises DataError for another calculator.
    """
    if not is_sevennet(calculator):
        raise DataError(f"{type(calculator).__name__} has no features: choose a SevenNet potential")
    found: list[Features | None] = [None] * len(cells)
    order = np.argsort([len(cell) for cell in cells], kind="stable")
    ends = np.cumsum([len(cells[i]) for i in order]) // ATOMS
    for part in np.split(order, np.flatnonzero(np.diff(ends)) + 1):
        for i, told in zip(part, _read([cells[i] for i in part], calculator)):
            sound = all(np.isfinite(a).all() and np.abs(a).max() < LARGEST for a in told)
            found[i] = Features(*(a.astype(np.float16) for a in told)) if sound else None
    return found


@torch.no_grad()
def _read(cells: Sequence[Atoms], calculator) -> list[Features]:
    from sevenn import _keys as keys

    # SevenNet has no public way to what lies between its layers
    modules = list(calculator.model._modules.items())
    *_, before, last = (i for i, (name, _) in enumerate(modules) if name.endswith(LAYER))
    data = calculator.model._preprocess(batched(cells, calculator))
    kept = {}
    for i, (_, module) in enumerate(modules[: last + 1]):
        data = module(data)
        if i in (before, last):
            kept[i] = data[keys.NODE_FEATURE].cpu().numpy()
    irreps = modules[before][1].gate.irreps_out
    parts = {part.ir.l: kept[before][:, place] for part, place in zip(irreps, irreps.slices())}
    scalars = np.concatenate([kept[last], parts[0]], axis=1)
    tensors = parts[2].reshape(len(scalars), -1, 5)
    ends = np.cumsum([len(cell) for cell in cells])[:-1]
    return [Features(*pair) for pair in zip(np.split(scalars, ends), np.split(tensors, ends))]
