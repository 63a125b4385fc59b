"""Chemical classes of crystals: coarse ones, in each of which errors are alike."""

import numpy as np

from .periodic_table import element

METALS, OXIDES, HALIDES, H_N_S_SE, OTHERS = "metals", "oxides", "halides", "H, N, S, Se", "others"
CHEMICAL_CLASSES = (METALS, OXIDES, HALIDES, H_N_S_SE, OTHERS)
_OXYGEN, _HALOGENS, _H_N_S_SE = {8}, {9, 17, 35, 53}, {1, 7, 16, 34}


def chemical_class(numbers: np.ndarray) -> str:
    """The class of a crystal of atoms with these atomic numbers (N,).

    The first that fits: metals hold metallic elements only, oxides oxygen, halides F, Cl, Br or I;
    then come hydrides, nitrides, sulphides and selenides, and all others.
    """
    species = set(np.asarray(numbers).tolist())
    if all(element(z).metal for z in species):
        return METALS
    for name, elements in ((OXIDES, _OXYGEN), (HALIDES, _HALOGENS), (H_N_S_SE, _H_N_S_SE)):
        if species & elements:
            return name
    return OTHERS
