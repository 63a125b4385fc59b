"""Dielectric and elastic tensors of one crystal: python examples/one_crystal.py [FILE]"""

import sys
from pathlib import Path

import numpy as np
from ase.io import read
from ase.units import GPa

from ase_eqtensor import EqTensorCalculator

example = Path(__file__).parent / "crystals" / "TiO2.cif"  # not in the training data
path = Path(sys.argv[1]) if len(sys.argv) > 1 else example
atoms = read(path)
atoms.calc = EqTensorCalculator()


def show(title: str, tensor: np.ndarray) -> None:
    """Print a tensor to two decimals, without negative zeros."""
    print(f"{title}\n{np.array2string(tensor.round(2) + 0.0, suppress_small=True)}\n")


print(f"{atoms.get_chemical_formula()} from {path.name}\n")
show("dielectric tensor (electronic + ionic)", atoms.get_property("dielectric_tensor"))
show("dielectric tensor (electronic)", atoms.get_property("electronic_dielectric_tensor"))
show(
    "elasticity tensor in GPa, Voigt order xx yy zz yz xz xy",
    atoms.get_property("elasticity_tensor") / GPa,
)
print(f"model {atoms.calc.model.name}, flags: {', '.join(atoms.calc.prediction.flags) or 'none'}")
