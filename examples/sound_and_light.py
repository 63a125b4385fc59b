"""What follows from the tensors of one crystal: sound, light, mechanics, input of other programs.

python sound_and_light.py [crystal.cif]
"""

import sys
from pathlib import Path

import numpy as np
from ase.io import read

from ase_eqtensor import (
    Electromechanical,
    EqTensorCalculator,
    Optics,
    abaqus_material,
    elastic_summary,
    greatest_d,
    sound_waves,
)

folder = Path(__file__).parent / "crystals"
atoms = read(sys.argv[1] if len(sys.argv) > 1 else folder / "TiO2.cif")
(prediction,) = EqTensorCalculator().predict([atoms])
stiffness = prediction["elasticity_tensor"]

print(f"{atoms.symbols}: sound along x, y and z, two transverse waves and a longitudinal one, km/s")
print(sound_waves(stiffness, atoms, np.eye(3)).phase.round(2))

summary = elastic_summary(stiffness, atoms)
for name in ("pugh", "hardness_gpa", "clarke_w_per_mk", "transverse_km_per_s"):
    print(f"{name}: {summary[name]:.2f}")

light = Optics.of(prediction["electronic_dielectric_tensor"])
print(f"birefringence {light.birefringence:.3f}, optic sign {light.sign:+d}")

print(abaqus_material(prediction, atoms, "rutile"))

polar = read(folder / "GaN.cif")
(prediction,) = EqTensorCalculator().predict([polar])
names = ("elasticity_tensor", "piezoelectric_tensor", "dielectric_tensor")
whole = Electromechanical(*(prediction[name] for name in names))
greatest = greatest_d(prediction)
low, high = greatest.bounds[0.9]
print(f"{polar.symbols}: coupling k33 {whole.coupling['k33']:.2f}")
print(f"d along its greatest direction {greatest.value:.1f} pm/V, {low:.1f} to {high:.1f} in 90 %")
