"""Wigner 3j symbols of real spherical harmonics, as e3nn defines them.

e3nn is the authority on signs and order (M. Geiger and T. Smidt, arXiv:2207.09453). Importing its
o3 module takes as long as all of a first prediction, so the symbols up to l = 4, and those that
harmonics up to 8 need, are kept in a file, which `write_table` makes, and e3nn is imported only for
others.

What is cached is made outside inference mode, because training may follow a prediction in the same
process and cannot use inference tensors.
"""

from collections.abc import Iterable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

TABLE = Path(__file__).with_suffix(".npz")
LMAX = 4
HARMONICS = 8  # the largest degree of harmonics, which a chain of symbols leads to


@cache
@torch.inference_mode(False)
def clebsch_gordan(l1: int, l2: int, l3: int) -> torch.Tensor:
    """e3nn's real Wigner 3j symbol (2 l1 + 1, 2 l2 + 1, 2 l3 + 1), float64, on the CPU."""
    tabulated = _table().get(f"{l1},{l2},{l3}")
    return _from_e3nn(l1, l2, l3) if tabulated is None else torch.from_numpy(tabulated)


def product_degrees(l1: int, l2: int, degrees: Iterable[int], odd: bool = False) -> tuple[int, ...]:
    """Those of `degrees` that the product of l1 and l2, of natural parity, contains in natural
    parity or, with `odd`, in the parity of tensors of odd rank (0e, 1o, 2o, 3o ...)."""
    return tuple(
        l
        for l in degrees
        if abs(l1 - l2) <= l <= l1 + l2 and (l1 + l2 + (l > 0 if odd else l)) % 2 == 0
    )


def couple(
    products: torch.Tensor, l1: int, l2: int, degrees: tuple[int, ...]
) -> dict[int, torch.Tensor]:
    """{l: (N, 2l+1, C)} for the l in `degrees`, in e3nn's "component" normalisation.

    `products` (N, (2 l1 + 1)(2 l2 + 1), C), the index of l1 varying slowest.
    """
    coupled = _coupling(l1, l2, degrees, products.dtype, products.device) @ products
    return dict(zip(degrees, coupled.split([2 * l + 1 for l in degrees], 1)))


@cache
@torch.inference_mode(False)
def _coupling(
    l1: int, l2: int, degrees: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Matrix (sum_l (2l+1), (2 l1 + 1)(2 l2 + 1)) from the products of l1 and l2 to all l in
    `degrees`."""
    rows = [clebsch_gordan(l1, l2, l).flatten(0, 1).T * (2 * l + 1) ** 0.5 for l in degrees]
    return torch.cat(rows).to(device, dtype)


@cache
def _table() -> dict[str, np.ndarray]:
    with np.load(TABLE) as file:
        return dict(file)


def _from_e3nn(l1: int, l2: int, l3: int) -> torch.Tensor:
    with torch.device("cpu"):  # e3nn makes constants on the default device, also when imported
        from e3nn import o3

        return o3.wigner_3j(l1, l2, l3, dtype=torch.float64, device="cpu")


def write_table() -> None:
    """Write the symbols with all l up to `LMAX`, and those of the harmonics' recursion."""
    triples = [
        (l1, l2, l3)
        for l1, l2, l3 in product(range(LMAX + 1), repeat=3)
        if abs(l1 - l2) <= l3 <= l1 + l2
    ]
    triples += [(l - 1, 1, l) for l in range(LMAX + 1, HARMONICS + 1)]
    symbols: dict[str, Any] = {"{},{},{}".format(*d): _from_e3nn(*d).numpy() for d in triples}
    np.savez_compressed(TABLE, **symbols)
