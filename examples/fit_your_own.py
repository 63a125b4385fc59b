"""Fit a small model on tensors of your own: python examples/fit_your_own.py [FILE]

FILE is anything that `ase_eqtensor.train.data.sources.files` reads. The default is an extract of
the Materials Project's first elastic set (M. de Jong et al., Sci. Data 2, 150009 (2015), CC BY
4.0): far too little for a useful model, enough to see every step.
"""

import sys
import tempfile
from pathlib import Path

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.train.data.database import build_database, read_database
from ase_eqtensor.train.data.sources import collect
from ase_eqtensor.train.recipes.recipe import parse_recipe
from ase_eqtensor.train.run import train

path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "elastic_48.extxyz"
folder = Path(tempfile.mkdtemp(prefix="eqtensor-"))

report = build_database(folder / "crystals.db", collect(files=[path], matminer=False))
print(f"{sum(report.rows.values())} crystals, {len(report.problems)} problems")

recipe = parse_recipe(
    {
        "datasets": ["elastic"],
        "epochs": 30,
        "batch_size": 8,
        "network": {"hidden": "16x0e + 8x1o + 8x2e", "output": "16x0e + 8x2e + 8x4e"},
    }
)
weights = train(folder / "crystals.db", recipe, folder / "run")

tested = [r for r in read_database(folder / "crystals.db") if r.fold == recipe.fold]
calculator = EqTensorCalculator(weights, allow_untrained_elements=True)
for record, prediction in zip(tested, calculator.predict([r.atoms for r in tested])):
    print(
        f"{record.reduced_formula:8s} C11 predicted {prediction['elasticity_tensor'][0, 0]:6.3f}, "
        f"first principles {record.targets['elasticity_tensor'][0, 0]:6.3f} eV/Å^3"
    )
print(f"the model: {weights}")
