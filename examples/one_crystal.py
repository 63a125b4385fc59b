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
np.set_printoptions(precision=2, suppress=True)

print(f"{atoms.get_chemical_formula()} from {path.name}\n")
print("dielectric tensor (electronic + ionic)")
print(atoms.get_property("dielectric_tensor"), "\n")
print("dielectric tensor (electronic)")
print(atoms.get_property("electronic_dielectric_tensor"), "\n")
print("elasticity tensor in GPa, Voigt order xx yy zz yz xz xy")
print(atoms.get_property("elasticity_tensor") / GPa, "\n")
print(f"model {atoms.calc.model.name}, flags {atoms.calc.prediction.flags or 'none'}")
