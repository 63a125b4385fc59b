# %% [markdown]
# # Dielectric and elastic tensors, from a file to a decision
#
# Run it as a script, or cell by cell in an editor that knows `# %%`.

# %%
from pathlib import Path

import numpy as np
from ase.io import read
from ase.units import GPa

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.analysis import elastic_summary, refractive_indices
from ase_eqtensor.files import freeze, load, save, tensors

folder = Path(__file__).parent / "crystals"

# %% [markdown]
# ## One crystal
# Scheelite is not in the training data. Everything is in the Cartesian frame of the file.

# %%
atoms = read(folder / "CaWO4.cif")
atoms.calc = EqTensorCalculator()
stiffness = atoms.get_property("elasticity_tensor")  # (6, 6), eV/Å^3
eps = atoms.get_property("dielectric_tensor")  # (3, 3)
print((stiffness / GPa).round(1) + 0.0)
print(eps.round(2) + 0.0)

# %% [markdown]
# ## How far off?
# Half of all new crystals have a smaller relative error than the first number, nine in ten a
# smaller one than the second. The flag says that the error to expect is among the largest: oxides
# are rare among the stiffnesses that the model knows.

# %%
estimate = atoms.calc.prediction.uncertainty["elasticity_tensor"]
print(estimate.relative_error)
print("K in GPa, 90 %:", estimate.scalars["k_vrh_gpa"].bounds[0.9])
print("flags:", atoms.calc.prediction.flags, "seen in training:", atoms.calc.seen())

# %% [markdown]
# ## What follows from it
# pymatgen's analysis: moduli, Debye temperature, stability; refractive indices of eps_inf.

# %%
summary = elastic_summary(stiffness, atoms)
print({name: round(value, 2) for name, value in summary.items()})
print(refractive_indices(atoms.get_property("electronic_dielectric_tensor")).round(3))

# %% [markdown]
# ## Many crystals, and a file that keeps their tensors
# `predict` works in batches; `freeze` and `save` write what ASE alone would lose.

# %%
crystals = [read(path) for path in sorted(folder.glob("*.cif"))]
predictions = EqTensorCalculator().predict(crystals)
images = [freeze(crystal, prediction) for crystal, prediction in zip(crystals, predictions)]
save("tutorial.db", images, overwrite=True)  # then: ase db tutorial.db "k_vrh_gpa>100"

# %% [markdown]
# ## A decision
# The stiffest crystal in the list, and whether the error bars let us say so.

# %%
stored = load("tutorial.db")
moduli = [image.info["key_value_pairs"]["k_vrh_gpa"] for image in stored]
order = np.argsort(moduli)[::-1]
for i in order[:2]:
    low, high = predictions[i].uncertainty["elasticity_tensor"].scalars["k_vrh_gpa"].bounds[0.9]
    print(
        f"{stored[i].get_chemical_formula()}: K = {moduli[i]:.0f} GPa, 90 % {low:.0f} to {high:.0f}"
    )
assert np.allclose(tensors(stored[0])["elasticity_tensor"], predictions[0]["elasticity_tensor"])
