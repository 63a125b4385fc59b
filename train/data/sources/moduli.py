"""Tables of bulk and shear moduli, which supervise the stiffness weakly.

The format is that of the binary compounds collected from the Materials Project (CC BY 4.0) for
the MatCalc benchmark `mp-binary-pbe-elasticity-2025.1`: a JSON list, possibly gzipped, of
objects with `id`, `lattice` (3, 3; Å, vectors as rows), `species` (N symbols), `frac` (N, 3;
fractional coordinates), `k_vrh_gpa` and `g_vrh_gpa` (numbers, GPa).
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from ase import Atoms

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import Record, Rejection


class ModuliSource(Source):
    """K_VRH and G_VRH (GPa) of the crystals in one JSON file."""

    name = "mp-binary-moduli"

    def __init__(self, path: Path):
        self.path = Path(path)

    def records(self) -> Iterator[Record | Rejection]:
        """Yield the rows of the table. Raises DataError if the file is not such a table."""
        for index, row in enumerate(self._rows()):
            try:
                atoms = Atoms(
                    row["species"], scaled_positions=row["frac"], cell=row["lattice"], pbc=True
                )
                targets = {key: float(row[key]) for key in ("k_vrh_gpa", "g_vrh_gpa")}
                yield Record(atoms, "moduli", self.name, str(row["id"]), targets)
            except (KeyError, TypeError, ValueError) as error:
                row = row if isinstance(row, dict) else {}
                yield Rejection(
                    "moduli",
                    str(row.get("id", f"row {index}")),
                    str(row.get("formula", "")),
                    f"unreadable: {type(error).__name__}: {error}",
                )

    def _rows(self) -> list:
        try:
            data = self.path.read_bytes()
            rows = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"the table of moduli {self.path} cannot be read: {error}") from error
        if not isinstance(rows, list):
            raise DataError(f"{self.path} holds no list of crystals but a {type(rows).__name__}")
        return rows
