"""Stiffness tensors of JARVIS-DFT, from a file of `eqtensor data fetch`.

K. Choudhary et al., npj Comput. Mater. 6, 173 (2020); the tensors: Phys. Rev. B 98, 014107 (2018).

Where frame, order and level of theory come from:

- `elastic_tensor` is VASP's "TOTAL ELASTIC MODULI" (relaxed ions) in GPa, read as printed
  (jarvis-tools, jarvis/io/vasp/outputs.py: `Outcar.elastic_props`), so in VASP's order
  xx yy zz xy yz zx; here it becomes xx yy zz yz xz xy.
- Its frame is not that of the entry's `atoms`. These are as relaxed, often primitive and rotated,
  while the stiffness was calculated in their conventional standard cell
  (jarvis/tasks/vasp/vasp.py: `JobFactory.elastic`, "Enforces conventional standard structure"; the
  silicon example of its repository shows it). That cell is the crystal of a record. pymatgen makes
  it, with the same axes as jarvis-tools on all 1,181 crystals of the 2015 stiffness set.
- Where several cells meet the standard, the choice depends on the version of spglib. The tensor
  depends on it where the crystal has less symmetry than its lattice (C14 of primitive trigonal
  crystals, C16 of some tetragonal ones change sign): such rows are quarantined.
- The functional is OptB88vdW, and the entry's `func` is checked.

Permittivities are left out: the data set has no tensors, only diagonals of independent-particle
spectra (`epsx`, ...) and largest eigenvalues (`dfpt_piezo_max_dielectric`).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from ase_eqtensor.crystal.lattice import bare
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.crystal.validation import as_atoms
from ase_eqtensor.tensors.notation import GPA, project_stiffness
from ase_eqtensor.train.data.fetch.file import read_answers
from ase_eqtensor.train.data.fetch.rows import Unusable, rejection
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import Record, Rejection

FUNCTIONAL = "OptB88vdW"
FRAME_DOUBT = 0.03  # relative part of a tensor that may depend on the choice of the standard cell
FROM_VASP = [0, 1, 2, 4, 5, 3]  # where xx yy zz yz xz xy stand in VASP's xx yy zz xy yz zx


class JarvisSource(Source):
    """Stiffness (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy, no factors, in the frame of the
    conventional standard cell, which is the record's crystal."""

    name = f"jarvis-dft-{FUNCTIONAL}"

    def __init__(self, path: Path):
        self.path = Path(path)

    def records(self) -> Iterator[Record | Rejection]:
        """Yield a row per entry. Raises DataError if the file is damaged or another source's."""
        for answer in read_answers(self.path, "jarvis"):
            try:
                yield self._record(answer.id, answer.content)
            except Exception as error:  # whatever a malformed entry leads pymatgen to
                formula = str(answer.content.get("formula") or "")
                yield rejection("elastic", answer.id, formula, error)

    def _record(self, jid: str, entry: dict) -> Record:
        functional = entry.get("func", FUNCTIONAL)
        if functional != FUNCTIONAL:
            raise Unusable(f"another level of theory: {functional}, expected {FUNCTIONAL}")
        tensor = entry.get("elastic_tensor")
        if tensor is None or tensor == "na":
            raise Unusable("missing target: no elastic_tensor")
        stiffness = np.array(tensor, dtype=float)
        if stiffness.shape != (6, 6):
            raise Unusable(f"wrong shape: elastic_tensor {stiffness.shape} instead of (6, 6)")
        stiffness = stiffness[np.ix_(FROM_VASP, FROM_VASP)] * GPA
        cell = conventional(entry["atoms"])
        targets = {"elasticity_tensor": stiffness}
        return Record(
            bare(as_atoms(cell)), "elastic", self.name, jid, targets, _doubt(cell, stiffness)
        )


def conventional(atoms: dict) -> Structure:
    """The conventional standard cell (Setyawan and Curtarolo) of an entry's `atoms`.

    `lattice_mat` (3, 3; Å, vectors as rows), `elements` (N symbols), `coords` (N, 3) and
    `cartesian`, which tells coordinates in Å from fractional ones.
    """
    structure = Structure(
        atoms["lattice_mat"],
        [element.strip() for element in atoms["elements"]],
        atoms["coords"],
        coords_are_cartesian=atoms["cartesian"],
    )
    return SpacegroupAnalyzer(structure).get_conventional_standard_structure()


def _doubt(cell: Structure, stiffness: np.ndarray) -> str:
    """Why the frame of a stiffness is in doubt although it agrees with the point group, or ""."""
    lattice = cell.get_primitive_structure().lattice.matrix
    group = analyse(Atoms("H", cell=lattice, pbc=True)).rotations
    ambiguous = stiffness - project_stiffness(stiffness, group)
    if np.linalg.norm(ambiguous) <= FRAME_DOUBT * np.linalg.norm(stiffness):
        return ""
    return "doubtful frame: another standard cell of the same lattice would give another tensor"
