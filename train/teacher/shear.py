"""How much too soft in shear the potential is, by chemistry.

G of labels over G from first principles, in the median of the stable binaries of each family, from
the first 8,060 labels (`python -m ase_eqtensor.train.teacher.agreement`, whatever their number); K
is right within 2 % in all but hydrides.
"""

from collections.abc import Iterable

from ase.data import chemical_symbols

# A crystal belongs to the first family of which it has an element.
FAMILIES = {
    "halides": ("F", "Cl", "Br", "I"),
    "oxides": ("O",),
    "chalcogenides": ("S", "Se", "Te"),
    "pnictides": ("N", "P", "As", "Sb"),
    "hydrides": ("H",),
}
REST = "others"
SHEAR = {
    "halides": 0.87,
    "oxides": 0.91,
    "chalcogenides": 0.79,
    "pnictides": 0.74,
    "hydrides": 0.62,
    REST: 0.64,
}


def family(numbers: Iterable[int]) -> str:
    """The family of a crystal with these atomic numbers."""
    symbols = {chemical_symbols[z] for z in numbers}
    return next((name for name, members in FAMILIES.items() if symbols & set(members)), REST)
