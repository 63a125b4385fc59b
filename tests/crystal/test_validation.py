"""Bad structures raise errors that say what is wrong; doubtful ones give flagged warnings."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, graphene, make_supercell, molecule, mx2, nanotube
from ase.io import read, write
from ase.spacegroup import crystal
from pymatgen.core import DummySpecies, Lattice, Molecule, Species, Structure

from ase_eqtensor.crystal.validation import (
    as_atoms,
    check_structure,
    describe,
    structure_warnings,
)
from ase_eqtensor.errors import ElementError, StructureError

CIF = """data_test
_cell_length_a 3.9
_cell_length_b 3.9
_cell_length_c 3.9
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
OXYGEN = "O1 O 0.5 0.5 0 1\n"
TITANIUM = "Ti1 Ti 0.5 0.5 0.5 1.0\n"
ROCKSALT = Lattice.cubic(4.2)
TWO_SITES = [[0, 0, 0], [0.5, 0.5, 0.5]]


def rocksalt() -> Atoms:
    return bulk("MgO", "rocksalt", a=4.21)


def changed(**changes) -> Atoms:
    atoms = rocksalt()
    for name, value in changes.items():
        setattr(atoms, name, value)
    return atoms


def read_cif(tmp_path, sites: str) -> Atoms:
    path = tmp_path / "test.cif"
    path.write_text(CIF + sites)
    return read(path)


def with_position(atom: int, value: float) -> Atoms:
    atoms = rocksalt()
    atoms.positions[atom, 1] = value
    return atoms


def with_cell(cell) -> Atoms:
    return changed(cell=cell)


BAD = {
    "empty": (Atoms(cell=[3, 3, 3], pbc=True), "no atoms"),
    "molecule": (molecule("H2O"), "periodic along"),
    "slab": (changed(pbc=[True, True, False]), "periodic along a and b only"),
    "no cell": (Atoms("Si", pbc=True), "volume 0"),
    "two vectors": (with_cell([[2, 2, 0], [0, 2, 2], [0, 0, 0]]), "volume 0"),
    "coplanar": (with_cell([[1, 0, 0], [0, 1, 0], [1, 1, 1e-9]]), "lattice vectors"),
    "nanometres": (with_cell(0.1 * rocksalt().cell[:]), "in Å"),
    "nan": (with_position(1, np.nan), "atoms [1]"),
    "infinity": (with_position(0, np.inf), "atoms [0]"),
    "nan cell": (with_cell([[np.nan, 2, 2], [2, 0, 2], [2, 2, 0]]), "cell"),
    "same place": (Atoms("Si2", positions=[[0, 0, 0]] * 2, cell=[3] * 3, pbc=True), "0 Å apart"),
    "same place, next cell": (
        Atoms("SiO", positions=[[0.1, 0, 0], [2.9, 0, 0]], cell=[3] * 3, pbc=True),
        "0.2 Å apart",
    ),
    "own image": (Atoms("Si", cell=[0.4, 4, 4], pbc=True), "0.4 Å apart"),
    "dummy": (Atoms("SiX", scaled_positions=TWO_SITES, cell=[3] * 3, pbc=True), "dummy X"),
    "no such element": (changed(numbers=[12, 130]), "130"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_structure_is_refused_by_name(case):
    atoms, words = BAD[case]
    before = atoms.copy()
    with pytest.raises(StructureError) as caught:
        check_structure(atoms)
    message = str(caught.value)
    assert words in message
    if case not in ("empty", "no such element"):
        assert describe(atoms) in message
    np.testing.assert_array_equal(atoms.positions, before.positions)
    assert isinstance(caught.value, ElementError) == (case in ("dummy", "no such element"))


@pytest.mark.parametrize(
    "atoms",
    [
        rocksalt(),
        bulk("H", "fcc", a=1.3),  # nearest neighbours 0.92 Å
        Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.74]], cell=[3, 3, 3], pbc=True),
        bulk("Po", "sc", a=3.35) * (1, 1, 8),
        Atoms("Si2", scaled_positions=bulk("Si").get_scaled_positions(), pbc=True,
              cell=bulk("Si").cell[:][[1, 0, 2]]),  # left-handed
        bulk("Og", "fcc", a=7.0),
    ],
    ids=str,
)  # fmt: skip
def test_good_structure_passes(atoms):
    check_structure(atoms)


@pytest.mark.parametrize(
    ("sites", "partial"),
    [
        ("Sr1 Sr 0 0 0 1.0\n" + TITANIUM, False),
        ("Sr1 Sr 0 0 0 0.999\n" + TITANIUM, False),
        ("Sr1 Sr 0 0 0 ?\n" + TITANIUM, False),
        ("Sr1 Sr 0 0 0 0.3\nBa1 Ba 0 0 0 0.7\n" + TITANIUM, True),
        ("Sr1 Sr 0 0 0 0.8(1)\n" + TITANIUM, True),
    ],
)
@pytest.mark.parametrize("format", ["cif", "extxyz", "traj"])
def test_partial_occupancies_dropped_by_ase(sites, partial, format, tmp_path):
    atoms = read_cif(tmp_path, sites + OXYGEN)
    if format != "cif":  # the record travels with the atoms
        write(tmp_path / f"test.{format}", atoms)
        atoms = read(tmp_path / f"test.{format}")
    if not partial:
        return check_structure(atoms)
    with pytest.raises(StructureError, match="partial occupancy .*Sr.*info"):
        check_structure(atoms)
    del atoms.info["occupancy"]  # the remedy that the message offers
    check_structure(atoms)


def test_atoms_pass_through():
    atoms = rocksalt()
    assert as_atoms(atoms) is atoms


def test_pymatgen_structure_is_converted():
    structure = Structure(ROCKSALT, ["Na+", "Cl-"], TWO_SITES)
    atoms = as_atoms(structure)
    assert atoms.get_chemical_formula() == "ClNa" and atoms.pbc.all()
    np.testing.assert_allclose(atoms.cell[:], structure.lattice.matrix)
    np.testing.assert_allclose(atoms.positions, structure.cart_coords)


@pytest.mark.parametrize(
    "species", [[{"Na": 0.5, "K": 0.5}, "Cl"], [{"Na": 0.9}, "Cl"]], ids=["shared", "vacancy"]
)
def test_partial_occupancies_of_pymatgen(species):
    with pytest.raises(StructureError, match="partial occupancy .*Na.*ordered"):
        as_atoms(Structure(ROCKSALT, species, TWO_SITES))


def test_dummy_species_of_pymatgen():
    structure = Structure(ROCKSALT, [DummySpecies("X"), "Cl"], TWO_SITES)
    with pytest.raises(ElementError):
        check_structure(as_atoms(structure))


@pytest.mark.parametrize(
    "thing", ["POSCAR", None, 3, [rocksalt()], Molecule(["H"], [[0, 0, 0]])], ids=repr
)
def test_other_objects_are_refused(thing):
    with pytest.raises(StructureError, match=f"{type(thing).__name__} .*ase.io.read"):
        as_atoms(thing)


def flags(atoms) -> list[str]:
    check_structure(atoms)
    return [warning.flag for warning in structure_warnings(atoms)]


@pytest.mark.parametrize("moments", [[2.0, -2.0], [[0, 0, 1.0], [0, 0, -1.0]]])
def test_magnetic_moments_are_flagged(moments):
    atoms = rocksalt()
    atoms.set_initial_magnetic_moments(moments)
    assert flags(atoms) == ["magnetic_moments_ignored"]
    atoms.set_initial_magnetic_moments(np.zeros_like(moments))
    assert flags(atoms) == []


def test_magnetic_moments_of_pymatgen_are_flagged():
    by_property = Structure(
        ROCKSALT, ["Ni", "O"], TWO_SITES, site_properties={"magmom": [1.7, 0.0]}
    )
    by_species = Structure(ROCKSALT, [Species("Ni", 2, spin=2), "O"], TWO_SITES)
    for structure in (by_property, by_species):
        assert flags(as_atoms(structure)) == ["magnetic_moments_ignored"]


def periodic(atoms: Atoms, vacuum: float | None = None, axis=(0, 1, 2)) -> Atoms:
    if vacuum is not None:
        atoms.center(vacuum=vacuum, axis=axis)
    atoms.pbc = True
    return atoms


SLAB = periodic(fcc111("Al", (1, 1, 3), vacuum=4.0))
VACUUM = {
    "slab": SLAB,
    "slab, turned cell": make_supercell(SLAB, [[1, 0, 1], [0, 1, 0], [-1, 0, 1]]),
    "slab, split by the cell boundary": SLAB.copy(),
    "layer": periodic(mx2("MoS2", vacuum=6.0)),
    "sheet": periodic(graphene(vacuum=4.0)),
    "chain": periodic(nanotube(4, 0), 4.0, axis=(0, 1)),
    "molecule": periodic(molecule("H2O"), 4.0),
    "atom": Atoms("Ar", cell=[8, 8, 8], pbc=True),
}
VACUUM["slab, split by the cell boundary"].positions[:, 2] += 7.0


@pytest.mark.parametrize("name", VACUUM)
def test_vacuum_is_flagged(name):
    assert flags(VACUUM[name]) == ["vacuum"]


GRAPHITE = crystal("CC", [(0, 0, 0.25), (1 / 3, 2 / 3, 0.25)], spacegroup=194,
                   cellpar=[2.46, 2.46, 6.71, 90, 90, 120])  # fmt: skip
BULK = {
    "graphite": GRAPHITE,
    "graphite, unbound by PBE": crystal("CC", [(0, 0, 0.25), (1 / 3, 2 / 3, 0.25)],
        spacegroup=194, cellpar=[2.46, 2.46, 8.8, 90, 90, 120]),
    "molybdenite": crystal(["Mo", "S"], [(1 / 3, 2 / 3, 0.25), (1 / 3, 2 / 3, 0.621)],
        spacegroup=194, cellpar=[3.16, 3.16, 12.3, 90, 90, 120]),
    "CdI2": crystal(["Cd", "I"], [(0, 0, 0), (1 / 3, 2 / 3, 0.25)], spacegroup=164,
        cellpar=[4.33, 4.33, 7.5, 90, 90, 120]),
    "molecular crystal, N2": crystal("N", [(0.055, 0.055, 0.055)], spacegroup=205,
        cellpar=[5.66, 5.66, 5.66, 90, 90, 90]),
    "caesium": bulk("Cs", "bcc", a=6.14),
    "xenon": bulk("Xe", "fcc", a=6.2),
    "caesium iodide, conventional": bulk("CsI", "rocksalt", a=7.86, cubic=True),
}  # fmt: skip


@pytest.mark.parametrize("name", BULK)
def test_bulk_crystals_are_not_flagged(name):
    atoms = BULK[name]
    assert flags(atoms) == []
    assert flags(make_supercell(atoms, [[1, 1, 0], [0, 2, 1], [1, 0, 2]])) == []
