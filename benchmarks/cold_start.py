"""A fresh process: from the start of Python to the first printed tensor."""

import subprocess
import sys
from functools import partial
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
    """Import, load, predict and print, from Python and on the command line, against importing the
    three libraries alone."""
    python = [sys.executable, "-c"]
    commands = (
        [*python, IMPORTS],
        [*python, FIRST_TENSOR.format(path=str(CRYSTAL), model=model)],
        [sys.executable, "-m", "ase_eqtensor", "predict", str(CRYSTAL), "--model", model],
    )
    runs = [partial(_run, command) for command in commands]
    for run in runs:  # brings the files into the system's cache
        run()
    imports, first_tensor, command_line = alternating(REPEATS, *runs)
    section = "cold start"
    return [
        Row(section, IMPORTS, imports, "s"),
        Row(section, "first printed tensor", first_tensor, "s"),
        Row(section, "the same on the command line", command_line, "s"),
        Row(section, "ratio from Python", first_tensor / imports),
        Row(section, "ratio on the command line", command_line / imports),
    ]


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
