"""Dielectric and elastic tensors of one crystal: python examples/one_crystal.py [FILE]"""

import sys
from pathlib import Path

import numpy as np
from ase.io import read
from ase.units import GPa

from ase_eqtensor import EqTensorCalculator

example = Path(__file__).parent / "crystals" / "CaWO4.cif"  # not in the training data
path = Path(sys.argv[1]) if len(sys.argv) > 1 else example
atoms = read(path)
atoms.calc = EqTensorCalculator()


def show(title: str, name: str, unit: float = 1.0) -> None:
    """Print a tensor to two decimals, without negative zeros, and how far off it may be."""
    tensor = atoms.get_property(name) / unit
    expected, safe = atoms.calc.prediction.uncertainty[name].relative_error.values()
    print(f"{title}\n{np.array2string(tensor.round(2) + 0.0, suppress_small=True)}")
    print(f"relative error below {expected:.0%} (one in two crystals), {safe:.0%} (nine in ten)\n")


print(f"{atoms.get_chemical_formula()} from {path.name}\n")
show("dielectric tensor (electronic + ionic)", "dielectric_tensor")
show("dielectric tensor (electronic)", "electronic_dielectric_tensor")
show("elasticity tensor in GPa, Voigt order xx yy zz yz xz xy", "elasticity_tensor", GPa)
print(f"model {atoms.calc.model.name}, flags: {', '.join(atoms.calc.prediction.flags) or 'none'}")
for crystal in atoms.calc.seen():
    match = {True: "same structure", False: "another structure", None: "structure not compared"}
    print(f"in the training data: {crystal.source_id}, {match[crystal.same_structure]}")
