"""Likely metals, told from the composition.

A metal has no static dielectric tensor, and there is no band structure at hand. The score here is
the log odds of a logistic regression on the atomic fractions of 22 blocks of the periodic table
and on four terms that chemistry relates to gaps:

- spread: standard deviation of the Pauling electronegativities (ionic crystals have gaps);
- odd: an odd number of electrons per formula unit cannot fill bands pairwise;
- closed: the valence electrons close all shells (octet rule, Zintl-Klemm);
- half_heusler: 18 valence electrons in a formula unit XYZ, which gap the half-Heusler alloys.

It was fitted (`studies/metal_rates.py`) to the dielectric data set, all insulators, the
all-metal compositions of the stiffness set and a list of well-known metallic compounds, all
without fold 0's test part. On that part:

    insulators flagged (false alarms)    5 of 225    2 %
    all-metal compositions missed        1 of 142    1 %
    known metallic compounds missed     11 of  97   11 %

It remains a guess. Intermetallics with small gaps and magnetic oxides (FeO) are often flagged,
metallic oxides (SrRuO3) and tellurides missed, and a composition says nothing about polymorphs,
pressure or strain.
"""

from functools import cache
from itertools import product
from math import gcd
from typing import NamedTuple

import numpy as np
from ase import Atoms

from .periodic_table import element

# Weights of the blocks' atomic fractions, in log odds; noble gases count as halogens.
BLOCK_WEIGHTS = {
    "alkali": 0.9,
    "alkaline earth": 5.6,
    "rare earth": 13.1,
    "actinoids": 18.2,
    "3d group 4-5": 11.8,
    "3d group 6-10": 7.5,
    "4d 5d group 4-5": 12.5,
    "4d 5d group 6-10": 6.6,
    "Cu Ag Au": 4.8,
    "Zn Cd Hg": 4.3,
    "Al Ga In Tl": 4.5,
    "Si Ge": 1.0,
    "Sn Pb": 9.2,
    "P As": -3.9,
    "Sb Bi": -3.7,
    "S Se Te": -3.2,
    "halogens": -4.1,
    "H": -1.9,
    "B": 0.8,
    "C": 0.8,
    "N": -2.5,
    "O": -0.4,
}
# Weights of the four other terms.
TERM_WEIGHTS = {"spread": -3.4, "odd": 0.9, "closed": -3.3, "half_heusler": -6.0}

_BLOCKS = tuple(BLOCK_WEIGHTS)
# Ce, Pr, Tb are known as 4+ as well, Sm, Eu, Yb as 2+.
_LANTHANOID_CHARGES = {58: (3, 4), 59: (3, 4), 62: (2, 3), 63: (2, 3), 65: (3, 4), 70: (2, 3)}


class _Element(NamedTuple):
    """What the score needs to know of an element."""

    block: int
    electronegativity: float
    electrons: int  # outside closed shells, d electrons of groups 3 to 11 included
    charges: tuple[int, ...]  # of its cations with closed shells
    vacancies: int  # electrons that its anion takes up to close a shell; 0 if it forms none
    metal: bool


def is_likely_metal(atoms: Atoms) -> bool:
    """Whether a crystal of this composition is more likely a metal than an insulator.

    Elements are looked up. The same for every cell of a crystal; magnetism is not considered.
    """
    numbers = set(atoms.numbers.tolist())
    if len(numbers) == 1:
        return _element(numbers.pop()).metal
    return metal_score(atoms) > 0


def metal_score(atoms: Atoms) -> float:
    """Log odds that a compound is a metal: positive for likely metals."""
    weights = [*BLOCK_WEIGHTS.values(), *TERM_WEIGHTS.values()]
    return float(composition_features(atoms.numbers) @ weights)


def composition_features(numbers: np.ndarray) -> np.ndarray:
    """What the score weighs, (26,) float64: 22 block fractions in the order of `BLOCK_WEIGHTS`,
    then spread, odd, closed, half_heusler.

    `numbers` (N,) are the atomic numbers of the atoms, in any order and of any number of formula
    units.
    """
    species, counts = np.unique(numbers, return_counts=True)
    counts = counts // gcd(*counts.tolist())
    elements = [_element(z) for z in species.tolist()]
    fractions = counts / counts.sum()
    blocks = np.zeros(len(_BLOCKS))
    np.add.at(blocks, [e.block for e in elements], fractions)
    electronegativity = np.array([e.electronegativity for e in elements])
    spread = np.sqrt(fractions @ (electronegativity - fractions @ electronegativity) ** 2)
    half_heusler = counts.tolist() == [1, 1, 1] and sum(e.electrons for e in elements) == 18
    terms = (spread, counts @ species % 2, _closes_shells(elements, counts), half_heusler)
    return np.concatenate([blocks, terms])


def _closes_shells(elements: list[_Element], counts: np.ndarray) -> bool:
    """Whether the k most electronegative elements, for some k, fill their shells with exactly the
    valence electrons of the others; `counts` (elements,) is per formula unit."""
    order = sorted(range(len(elements)), key=lambda i: -elements[i].electronegativity)
    demand = 0
    for k, i in enumerate(order[:-1], start=1):
        if not elements[i].vacancies:
            return False
        demand += elements[i].vacancies * counts[i]
        cations = order[k:]
        supplies = (
            np.array(list(product(*(elements[j].charges for j in cations)))) @ counts[cations]
        )
        if demand in supplies:
            return True
    return False


@cache
def _element(z: int) -> _Element:
    group, electronegativity, metal = element(z)
    charges: tuple[int, ...]
    if z > 103 or z in (2, 10, 18):  # none tabulated
        electronegativity = 2.0
    if z == 1:
        electrons, charges, vacancies = 1, (1,), 1
    elif _is_lanthanoid(z):
        electrons, charges, vacancies = 3, _LANTHANOID_CHARGES.get(z, (3,)), 0
    elif _is_actinoid(z):
        electrons, charges, vacancies = min(z - 86, 6), (4,), 0
    elif group <= 12:
        electrons = group if group < 12 else 2
        charges, vacancies = (group if group <= 10 else group - 10,), 0
    else:  # may keep its s electrons, as Sn2+ does
        electrons, charges, vacancies = group - 10, (group - 10, group - 12), 18 - group
    return _Element(
        _BLOCKS.index(_block(z, group)),
        electronegativity,
        electrons,
        charges,
        vacancies,
        metal,
    )


def _is_lanthanoid(z: int) -> bool:
    return 57 <= z <= 71


def _is_actinoid(z: int) -> bool:
    return 89 <= z <= 103


def _block(z: int, group: int) -> str:
    by_element = {1: "H", 5: "B", 6: "C", 7: "N", 8: "O"}
    if z in by_element:
        return by_element[z]
    if _is_actinoid(z):
        return "actinoids"
    if group <= 3:
        return ("alkali", "alkaline earth", "rare earth")[group - 1]
    if group <= 10:
        return f"{'3d' if z < 30 else '4d 5d'} group {'4-5' if group <= 5 else '6-10'}"
    if group in (14, 15):
        return {14: ("Si Ge", "Sn Pb"), 15: ("P As", "Sb Bi")}[group][z > 33]
    return {11: "Cu Ag Au", 12: "Zn Cd Hg", 13: "Al Ga In Tl", 16: "S Se Te"}.get(group, "halogens")
