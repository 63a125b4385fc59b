"""Tensors as the input of programs that people run next.

pymatgen takes `elastic_tensor(C)`, also for its substrate analyser; phonopy and codes for charged
defects take the permittivities as they are.
"""

from collections.abc import Mapping

import numpy as np
from ase import Atoms, units
from ase.spacegroup import Spacegroup

from .analysis import structure_of, to_ieee
from .crystal.symmetry import analyse
from .errors import StructureError
from .quantities import Density
from .quantities.permittivity import ELECTRONIC, TOTAL
from .quantities.piezoelectric import PIEZOELECTRIC
from .quantities.stiffness import STIFFNESS
from .tensors.electromechanical import C_PER_M2, EPS_0
from .tensors.notation import GPA

KG_PER_M3 = units._amu * 1e30  # of 1 amu/Å^3
F_PER_M = units._e * 1e10  # of 1 e/(V Å)
# xx yy zz xy xz yz, Abaqus's order of strains, as Voigt indices
ABAQUS = [0, 1, 2, 5, 4, 3]
# DAMASK's lattices that can be elastic: system and centring -> name, Voigt indices of constants
DAMASK = {
    ("cubic", "F"): ("cF", (11, 12, 44)),
    ("cubic", "I"): ("cI", (11, 12, 44)),
    ("hexagonal", "P"): ("hP", (11, 12, 13, 33, 44)),
    ("tetragonal", "I"): ("tI", (11, 12, 13, 33, 44, 66)),
}


def amset_settings(tensors: Mapping[str, np.ndarray]) -> dict:
    """Material settings of AMSET (A. M. Ganose et al., Nat. Commun. 12, 2222 (2021)).

    Args:
        tensors: quantity -> array of one crystal, such as a `Prediction`, in the Cartesian frame of
            the structure that AMSET reads.

    Returns:
        elastic_constant (6, 6; GPa), high_frequency_dielectric, static_dielectric (3, 3) and
        piezoelectric_constant (3, 6; C/m^2) as nested lists, those that there are. Deformation
        potentials and phonon frequencies are not among what tensors tell.
    """
    settings = {
        "elastic_constant": (STIFFNESS.name, 1 / GPA),
        "high_frequency_dielectric": (ELECTRONIC.name, 1.0),
        "static_dielectric": (TOTAL.name, 1.0),
        "piezoelectric_constant": (PIEZOELECTRIC.name, C_PER_M2),
    }
    return {
        setting: (np.asarray(tensors[name]) * scale).tolist()
        for setting, (name, scale) in settings.items()
        if name in tensors
    }


def abaqus_material(tensors: Mapping[str, np.ndarray], atoms: Atoms, name: str = "") -> str:
    """A material of Abaqus (and CalculiX) as lines of an input file, SI units.

    *DENSITY, *ELASTIC, TYPE=ANISOTROPIC with 21 constants in the order D1111 D1122 D2222 D1133 ...
    of its components 11 22 33 12 13 23, and, where they are known, *PIEZOELECTRIC, TYPE=S and
    *DIELECTRIC, TYPE=ANISO at constant strain. The axes are the Cartesian ones of `atoms`: give
    elements an *ORIENTATION.

    Args:
        tensors: quantity -> array of one crystal, with a stiffness, in the frame of `atoms`.
        atoms: the crystal, for its density.
        name: of the material; by default its formula.

    Raises KeyError without a stiffness.
    """
    stiffness = np.asarray(tensors[STIFFNESS.name])[np.ix_(ABAQUS, ABAQUS)] / GPA * 1e9
    constants = [stiffness[i, j] for j in range(6) for i in range(j + 1)]
    density = Density.of([atoms]).mass[0] * KG_PER_M3
    name = name or atoms.get_chemical_formula("metal")
    lines = [f"*MATERIAL, NAME={name}", "*DENSITY", f"{density:.6g},"]
    lines += ["*ELASTIC, TYPE=ANISOTROPIC", *_rows(constants)]
    if PIEZOELECTRIC.name in tensors:
        stress = np.asarray(tensors[PIEZOELECTRIC.name])[:, ABAQUS] * C_PER_M2
        lines += ["*PIEZOELECTRIC, TYPE=S", *_rows(stress.ravel())]
    if TOTAL.name in tensors:
        permittivity = np.asarray(tensors[TOTAL.name]) * EPS_0 * F_PER_M
        constants = [permittivity[i, j] for j in range(3) for i in range(j + 1)]
        lines += ["*DIELECTRIC, TYPE=ANISO", *_rows(constants)]
    return "\n".join(lines) + "\n"


def _rows(values, width: int = 8) -> list[str]:
    """Data lines of Abaqus; what is rounding beside the largest value is 0."""
    least = 1e-9 * np.abs(values).max()
    printed = [f"{value:.6g}" if abs(value) > least else "0" for value in values]
    return [", ".join(printed[i : i + width]) for i in range(0, len(printed), width)]


def damask_phase(stiffness: np.ndarray, atoms: Atoms) -> dict:
    """A phase of DAMASK's material.yaml (version 3): lattice, density in kg/m^3, Hooke's law in Pa.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order, in the frame of `atoms`. It is turned to the axes
            of the lattice, to which DAMASK's constants belong.
        atoms: the crystal.

    Returns:
        {"lattice", "c/a", "rho", "mechanical": {"elastic": {"type": "Hooke", "C_11": ...}}}, to be
        put under a name into damask.ConfigMaterial()["phase"]; plasticity is yours to add.

    Raises StructureError for a crystal whose lattice DAMASK has no elasticity for: it knows cubic F
    and I, hexagonal P and tetragonal I with six constants.
    """
    symmetry = analyse(atoms)
    centring = Spacegroup(symmetry.space_group).symbol[0] if symmetry.space_group else "?"
    if (symmetry.crystal_system, centring) not in DAMASK:
        raise StructureError(
            f"{atoms.symbols}: DAMASK has no elastic law for {symmetry.crystal_system} crystals "
            f"with {centring} lattices, only for cubic F and I, hexagonal P and tetragonal I"
        )
    lattice, constants = DAMASK[symmetry.crystal_system, centring]
    c = to_ieee(stiffness, atoms) / GPA * 1e9
    if lattice == "tI" and abs(c[0, 5]) > 1e-3 * c[0, 0]:
        raise StructureError(
            f"{atoms.symbols}: the point group {symmetry.point_group} has a seventh constant, C16, "
            "which DAMASK does not know"
        )
    hooke = {f"C_{ij}": float(c[ij // 10 - 1, ij % 10 - 1]) for ij in constants}
    phase: dict = {"lattice": lattice}
    if lattice in ("hP", "tI"):
        phase["c/a"] = _ratio(atoms)
    phase["rho"] = float(Density.of([atoms]).mass[0] * KG_PER_M3)
    return phase | {"mechanical": {"elastic": {"type": "Hooke"} | hooke}}


def _ratio(atoms: Atoms) -> float:
    """c/a of the conventional cell."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    cell = SpacegroupAnalyzer(structure_of(atoms)).get_conventional_standard_structure().lattice
    return float(cell.c / cell.a)
