"""A fresh process: from the start of Python to the first printed tensor."""

import subprocess
import sys
from pathlib import Path

from timing import Row, alternating

REPEATS = 7
IMPORTS = "import torch, e3nn, ase"
CRYSTAL = Path(__file__).parents[1] / "examples" / "crystals" / "TiO2.cif"
FIRST_TENSOR = """
from ase.io import read
from ase_eqtensor import EqTensorCalculator
atoms = read({path!r})
atoms.calc = EqTensorCalculator({model!r})
print(atoms.get_property("dielectric_tensor"))
"""


def cold_rows(model: str) -> list[Row]:
    """Import, load, predict and print, against importing the three libraries alone."""
    scripts = (IMPORTS, FIRST_TENSOR.format(path=str(CRYSTAL), model=model))
    runs = [lambda s=script: _run(s) for script in scripts]
    for run in runs:  # brings the files into the system's cache
        run()
    imports, first_tensor = alternating(REPEATS, *runs)
    section = "cold start"
    return [
        Row(section, IMPORTS, imports, "s"),
        Row(section, "first printed tensor", first_tensor, "s"),
        Row(section, "ratio", first_tensor / imports),
    ]


def _run(script: str) -> None:
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
