"""Tensors of VASP's OUTCAR and vasprun.xml, read by pymatgen.

VASP writes stiffness in kbar and piezoelectric tensors in C/m^2, both in the order XX YY ZZ XY YZ
ZX, and everything in the Cartesian frame of its cell. Electronic and ionic parts stand apart.
"""

from pathlib import Path

import numpy as np
from ase import Atoms

from ..crystal.validation import as_atoms
from ..files.reading import first_crystal
from ..quantities.permittivity import ELECTRONIC, TOTAL
from ..quantities.piezoelectric import PIEZOELECTRIC
from ..quantities.stiffness import STIFFNESS
from ..tensors.electromechanical import C_PER_M2
from ..tensors.notation import GPA

Found = tuple[Atoms, dict[str, np.ndarray], frozenset[str]]  # crystal, tensors, clamped ones

KBAR = GPA / 10
OURS = np.array([0, 1, 2, 4, 5, 3])  # places of xx yy zz yz xz xy in VASP's order
CLAMPED = r"SYMMETRIZED ELASTIC MODULI \(kBar\)\s+Direction\s+([X-Z][X-Z]\s+)+\-+"
ROW = r"[X-Z][X-Z]\s+" + r"\s+".join([r"(\-*[\.\d]+)"] * 6)


def is_outcar(path: Path) -> bool:
    """Whether the name is that of an OUTCAR."""
    return "OUTCAR" in path.name


def is_vasprun(path: Path) -> bool:
    """Whether the name is that of a vasprun.xml."""
    return "vasprun" in path.name.lower()


def read_outcar(path: Path, structure: Atoms | None = None) -> Found:
    """Crystal and tensors of an OUTCAR; the crystal is its first one, before any is displaced.

    Raises StructureError where there is none.
    """
    from pymatgen.io.vasp import Outcar

    structure = first_crystal(path) if structure is None else structure
    outcar = Outcar(str(path))
    text = dict.fromkeys(("elastic", "clamped"), np.zeros(0))
    outcar.read_elastic_tensor()
    text["elastic"] = np.array(outcar.data["elastic_tensor"])
    text["clamped"] = np.array(
        outcar.read_table_pattern(CLAMPED, ROW, r"\-+", postprocess=float, last_one_only=True)
    )
    tensors, clamped = {}, set()
    whole = next((text[kind] for kind in text if text[kind].shape == (6, 6)), None)
    if whole is not None:
        tensors[STIFFNESS.name] = whole[np.ix_(OURS, OURS)] * KBAR
        if text["elastic"].shape != (6, 6):
            clamped.add(STIFFNESS.name)
    outcar.read_lepsilon()
    outcar.read_lepsilon_ionic()
    static = np.array(outcar.dielectric_tensor)
    if static.shape == (3, 3) and static.any():
        tensors[ELECTRONIC.name] = static
        ionic = np.array(outcar.dielectric_ionic_tensor)
        if ionic.shape == (3, 3) and ionic.any():
            tensors[TOTAL.name] = static + ionic
    piezo = np.array(outcar.piezo_tensor)
    if piezo.shape == (3, 6) and piezo.any():
        ionic = np.array(outcar.piezo_ionic_tensor)
        if ionic.shape == (3, 6) and ionic.any():
            piezo = piezo + ionic
        else:
            clamped.add(PIEZOELECTRIC.name)
        tensors[PIEZOELECTRIC.name] = piezo[:, OURS] / C_PER_M2
    return structure, tensors, frozenset(clamped)


def read_vasprun(path: Path, structure: Atoms | None = None) -> Found:
    """Crystal and permittivities of a vasprun.xml."""
    from pymatgen.io.vasp import Vasprun

    run = Vasprun(
        str(path), parse_dos=False, parse_eigen=False, parse_potcar_file=False,
        exception_on_bad_xml=True,
    )  # fmt: skip
    static, ionic = np.array(run.epsilon_static), np.array(run.epsilon_ionic)
    tensors = {}
    if static.shape == (3, 3):
        tensors[ELECTRONIC.name] = static
        if ionic.shape == (3, 3):
            tensors[TOTAL.name] = static + ionic
    return structure or as_atoms(run.initial_structure), tensors, frozenset()
