"""Chemical classes of crystals: coarse ones, in each of which errors are alike."""

import numpy as np
from ase.data import atomic_numbers

from .periodic_table import element

METALS, OXIDES, HALIDES, H_N_S_SE, OTHERS = "metals", "oxides", "halides", "H, N, S, Se", "others"
CHEMICAL_CLASSES = (METALS, OXIDES, HALIDES, H_N_S_SE, OTHERS)
OXYGEN, HALOGENS, _H_N_S_SE = {8}, {9, 17, 35, 53}, {1, 7, 16, 34}

# Ions that leave the middle of their site easily: transition metals of groups 4 to 6 without d
# electrons (R. E. Cohen, Nature 358, 136 (1992)) and heavy p-block cations with a lone pair
# (A. Walsh et al., Chem. Soc. Rev. 40, 4455 (2011)). Soft polar modes are often theirs.
SOFT_IONS = frozenset(
    atomic_numbers[symbol]
    for symbol in "Ti V Zr Nb Mo Hf Ta W Ge As In Sn Sb Te Hg Tl Pb Bi".split()
)
_D0_IN_OXIDES = frozenset(atomic_numbers[symbol] for symbol in "Ti Nb Ta".split())


def is_d0_oxide(numbers: np.ndarray) -> bool:
    """Whether atoms with these atomic numbers (N,) may be one of the oxides of Ti, Nb and Ta,
    perovskites and rutiles among them, that are known for soft modes."""
    species = set(np.asarray(numbers).tolist())
    return bool(species & OXYGEN) and not _D0_IN_OXIDES.isdisjoint(species)


def holds_soft_ions(numbers: np.ndarray) -> bool:
    """Whether one of `SOFT_IONS` is among atoms with these atomic numbers (N,)."""
    return not SOFT_IONS.isdisjoint(np.asarray(numbers).tolist())


def chemical_class(numbers: np.ndarray) -> str:
    """The class of a crystal of atoms with these atomic numbers (N,).

    The first that fits: metals hold metallic elements only, oxides oxygen, halides F, Cl, Br or I;
    then come hydrides, nitrides, sulphides and selenides, and all others.
    """
    species = set(np.asarray(numbers).tolist())
    if all(element(z).metal for z in species):
        return METALS
    for name, elements in ((OXIDES, OXYGEN), (HALIDES, HALOGENS), (H_N_S_SE, _H_N_S_SE)):
        if species & elements:
            return name
    return OTHERS
