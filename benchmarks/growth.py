"""How cost grows with the number of atoms; run as a script, it prints the memory of one size."""

import json
import math
import re
import statistics
import subprocess
import sys
import warnings
from pathlib import Path

from ase import Atoms
from ase.build import bulk
from timing import Row, seconds, stages

import ase_eqtensor.crystal.symmetry as symmetry
from ase_eqtensor import EqTensorCalculator

REPEATS = (1, 2, 3, 4, 5, 6, 7, 8)  # of the cubic cell: 8 ... 4096 atoms
FROM = 200  # atoms; the exponent is taken from this size on
RATTLE = 0.05  # Å


def growth_rows(calculator: EqTensorCalculator) -> list[Row]:
    """Rattled cells without symmetry; a perfect supercell against its primitive cell."""
    section, rows, times = "growth, no symmetry, without the spglib call", [], {}
    for n in REPEATS:
        atoms = rattled(n)
        spent = statistics.median(_split(calculator, atoms)[0] for _ in range(3))
        times[len(atoms)] = spent
        rows.append(Row(section, f"{len(atoms)} atoms", 1e3 * spent, "ms"))
    large = {n: t for n, t in times.items() if n >= FROM}
    first, last = min(large), max(large)
    exponent = math.log(times[last] / times[first]) / math.log(last / first)
    rows.append(Row(section, f"exponent, {first} to {last} atoms", exponent))
    memory = subprocess.run(
        [sys.executable, __file__, str(REPEATS[-1]), calculator.model.name],
        check=True,
        capture_output=True,
        text=True,
    )
    peak, before = json.loads(memory.stdout)
    rows.append(Row(section, f"peak memory of the process, {last} atoms", peak, "MB"))
    rows.append(Row(section, "of which before the prediction", before, "MB"))
    return rows + _supercell_rows(calculator)


def _supercell_rows(calculator: EqTensorCalculator) -> list[Row]:
    primitive, supercell = bulk("MgO", "rocksalt", a=4.21), perfect(4)
    pairs = [[_split(calculator, atoms) for atoms in (primitive, supercell)] for _ in range(15)]
    (small, small_search), (large, large_search) = (
        [statistics.median(column) for column in zip(*cell)] for cell in zip(*pairs)
    )
    section = f"perfect supercell of {len(supercell)} atoms"
    return [
        Row(section, "primitive cell, without the spglib call", 1e3 * small, "ms"),
        Row(section, "its spglib call", 1e3 * small_search, "ms"),
        Row(section, "supercell, without the spglib call", 1e3 * large, "ms"),
        Row(section, "its spglib call", 1e3 * large_search, "ms"),
        Row(section, "ratio without spglib calls", large / small),
    ]


def perfect(n: int) -> Atoms:
    return bulk("MgO", "rocksalt", a=4.21, cubic=True).repeat(n)


def rattled(n: int) -> Atoms:
    atoms = perfect(n)
    atoms.rattle(RATTLE, seed=n)
    return atoms


def _split(calculator: EqTensorCalculator, atoms: Atoms) -> tuple[float, float]:
    """Seconds of a prediction without the spglib call, and of that call."""
    with stages((symmetry, "_search")) as record:
        total = seconds(lambda: calculator.predictor.predict_one(atoms))
    search = sum(record["_search"])
    return total - search, search


def _peak_megabytes() -> float:
    """Peak memory of this process (Linux); that of getrusage may be the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    calculator = EqTensorCalculator(sys.argv[2])
    calculator.predictor.predict_one(perfect(1))
    before = _peak_megabytes()
    calculator.predictor.predict_one(rattled(int(sys.argv[1])))
    print(json.dumps([_peak_megabytes(), before]))
