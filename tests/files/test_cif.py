"""CIF: settings, listed and magnetic operations, element labels, and what the file states."""

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.geometry import cell_to_cellpar, cellpar_to_cell
from ase.neighborlist import neighbor_list
from crystals import CRYSTALS

from ase_eqtensor.errors import StructureError
from ase_eqtensor.files.cif import read_cif
from ase_eqtensor.files.operations import Operations

CUBE = (4.21, 4.21, 4.21, 90, 90, 90)
ROCKSALT = [("Mg1", "Mg", 0, 0, 0), ("O1", "O", 0.5, 0.5, 0.5)]
NAMES = [*(f"_cell_length_{x}" for x in "abc"),
         *(f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma"))]  # fmt: skip
SITES = ["label", "type_symbol", "fract_x", "fract_y", "fract_z"]


def cif(cell, sites, symbol=None, *lines, columns=SITES) -> str:
    text = ["data_x", *(f"{name} {value}" for name, value in zip(NAMES, cell)), *lines]
    if symbol:
        text.append(f"_symmetry_space_group_name_H-M '{symbol}'")
    text += ["loop_", *(f"_atom_site_{column}" for column in columns)]
    return "\n".join([*text, *(" ".join(map(str, site)) for site in sites), ""])


def crystal(*arguments, **options) -> Atoms:
    (atoms,) = read_cif(cif(*arguments, **options))
    if isinstance(atoms, StructureError):
        raise atoms
    return atoms


def operations(rotations, translations) -> str:
    listed = Operations(rotations, translations, 0, "").texts()
    return "\n".join(["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{text}'" for text in listed)])


@pytest.mark.parametrize("hall", range(1, 531, 3))
def test_sites_are_expanded_by_the_operations_of_their_setting(hall):
    """Named by Hall symbol or listed, in every third setting of all space groups."""
    group, symmetry = spglib.get_spacegroup_type(hall), spglib.get_symmetry_from_database(hall)
    rotations, translations = symmetry["rotations"], symmetry["translations"]
    metric = np.diag([60.0, 80.0, 110.0]) + np.full((3, 3), 4.0)
    metric = np.mean([w.T @ metric @ w for w in rotations], axis=0)
    cell = cell_to_cellpar(np.linalg.cholesky(metric))
    place = np.array([0.137, 0.059, 0.233])
    expected = rotations @ place + translations
    for line in (
        f"_space_group_name_Hall '{group.hall_symbol}'",
        operations(rotations, translations),
    ):
        number = f"_symmetry_Int_Tables_number {group.number}"
        atoms = crystal(cell, [("Si1", "Si", *place)], None, line, number)
        assert len(atoms) == len(rotations)
        steps = expected[:, None] - atoms.get_scaled_positions()
        assert (abs(steps - np.rint(steps)).max(-1).min(1) < 1e-6).all()


def test_origin_choices_and_axes_named_by_a_suffix():
    anatase = (3.785, 3.785, 9.514, 90, 90, 90)
    first = crystal(anatase, [("Ti", "Ti", 0, 0, 0), ("O", "O", 0, 0, 0.2081)], "I 41/a m d:1")
    sites = [("Ti", "Ti", 0, 0.75, 0.125), ("O", "O", 0, 0.75, 0.3331)]
    for symbol in ("I 41/a m d:2", "I 41/a m d Z", "I41/amd :2"):
        same_crystal(first, crystal(anatase, sites, symbol))
    silicon = (5.43, 5.43, 5.43, 90, 90, 90)
    places = {"F d -3 m:1": 0, "F d -3 m S": 0, "F d -3 m:2": 0.125, "F d 3 m Z": 0.125}
    for symbol, x in places.items():
        assert len(crystal(silicon, [("Si", "Si", x, x, x)], symbol)) == 8
    bismuth = [("Bi", "Bi", 0, 0, 0.2339)]
    hexagonal = crystal((4.546, 4.546, 11.86, 90, 90, 120), bismuth, "R -3 m:H")
    cell = cell_to_cellpar(
        np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3 @ hexagonal.cell.array
    )
    for symbol in ("R -3 m:R", "R -3 m", "R-3m R"):
        rhombohedral = crystal(cell, [("Bi", "Bi", *[0.2339] * 3)], symbol)
        assert len(rhombohedral) == 2 and len(hexagonal) == 6
        same_crystal(hexagonal, rhombohedral)


@pytest.mark.parametrize("symbol", ["P 1 21/n 1", "P 21/n", "P21/n", "P 1 2_1/n 1"])
def test_monoclinic_cell_choices(symbol):
    standard = CRYSTALS["monoclinic"]
    change = np.array([[-1, 0, -1], [0, 1, 0], [1, 0, 0]])
    cell = change @ cellpar_to_cell((5.15, 5.21, 5.32, 90, 99.2, 90))
    sites = [("Zr", "Zr", 0.2754, 0.0395, 0.2083), ("O1", "O", 0.07, 0.3317, 0.3447),
             ("O2", "O", 0.4496, 0.7569, 0.4792)]  # fmt: skip
    moved = [(a, s, *(np.array(x) @ np.linalg.inv(change) % 1)) for a, s, *x in sites]
    same_crystal(standard, crystal(cell_to_cellpar(cell), moved, symbol))


def same_crystal(first: Atoms, second: Atoms) -> None:
    """The same density and the same distances up to 4 Å."""
    assert len(first) / first.get_volume() == pytest.approx(len(second) / second.get_volume(), 1e-3)
    distances = [np.sort(neighbor_list("d", atoms, 4.0)) for atoms in (first, second)]
    common = np.lcm(len(distances[0]), len(distances[1]))
    spectra = [np.repeat(values, common // len(values)) for values in distances]
    assert len(distances[0]) * len(second) == len(distances[1]) * len(first)
    np.testing.assert_allclose(*spectra, atol=2e-3)


def test_a_missing_origin_choice_is_an_error_with_both_answers_unless_the_formula_tells():
    cell, site = (5.43, 5.43, 5.43, 90, 90, 90), [("Si", "Si", 0, 0, 0)]
    with pytest.raises(StructureError, match="Si8.*Si16"):
        crystal(cell, site, "F d -3 m")
    formula = ("_chemical_formula_sum Si", "_cell_formula_units_Z 8")
    assert len(crystal(cell, site, "F d -3 m", *formula)) == 8


def test_what_the_file_states_is_compared():
    formula = "_chemical_formula_sum 'Mg1 O1'"
    assert len(crystal(CUBE, ROCKSALT, "F m -3 m", formula, "_cell_formula_units_Z 4")) == 8
    whole = ("_chemical_formula_sum 'Mg4 O4'", "_cell_formula_units_Z 4")  # as pymatgen writes it
    assert len(crystal(CUBE, ROCKSALT, "F m -3 m", *whole)) == 8
    for symbol, lines in (
        ("F m -3 m", ("_chemical_formula_sum 'Mg1 O2'",)),
        ("F m -3 m", (formula, "_cell_formula_units_Z 2")),
        ("P m -3 m", (formula, "_cell_formula_units_Z 4")),
    ):
        with pytest.raises(StructureError, match="states the formula"):
            crystal(CUBE, ROCKSALT, symbol, *lines)
    with pytest.raises(StructureError, match="number is 225, but its symbol"):
        crystal(CUBE, ROCKSALT, "P m -3 m", "_symmetry_Int_Tables_number 225")
    with pytest.raises(StructureError, match="not known"):
        crystal(CUBE, ROCKSALT, "F m m -3 n")
    with pytest.raises(StructureError, match="its cell is none of"):
        crystal((4, 5, 6, 90, 90, 90), ROCKSALT, "F m -3 m")


def test_listed_operations_rule_and_nothing_is_added_to_them():
    identity = "loop_\n_symmetry_equiv_pos_as_xyz\n'x, y, z'"
    sites = [("Mg1", "Mg", 0.1, 0.2, 0.3), ("O1", "O", 0.6, 0.6, 0.7)]
    formula = "_chemical_formula_sum 'Mg O'"
    # ASE itself adds the inversion of number 225
    assert len(crystal(CUBE, sites, "F m -3 m", identity, formula)) == 2
    with pytest.raises(StructureError, match="identity only"):
        crystal(CUBE, sites, "F m -3 m", identity)
    for wrong, word in (("x,y", "is none such"), ("x,x,z", "no rotation"), ("q,y,z", "none such")):
        with pytest.raises(StructureError, match=word):
            crystal(CUBE, sites, None, f"loop_\n_symmetry_equiv_pos_as_xyz\n'{wrong}'")
    with pytest.raises(StructureError, match="do not leave its cell"):
        turn = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-y,x,z"
        crystal((4, 5, 6, 90, 90, 90), sites, None, turn)


@pytest.mark.parametrize("full", [(), (1.0,)])
def test_sites_listed_twice_are_one_and_two_species_in_one_place_are_an_error(full):
    columns = [*SITES, "occupancy"] if full else SITES
    sites = [(*site, *full) for site in (*ROCKSALT, ("Mg2", "Mg", 0.5, 0.5, 0))]
    assert len(crystal(CUBE, sites, "F m -3 m", columns=columns)) == 8
    sites[-1] = ("Ca1", "Ca", 0.5, 0.5, 0, *full)
    with pytest.raises(StructureError, match="two readings disagree: .*Ca4Mg4O4"):
        crystal(CUBE, sites, "F m -3 m", columns=columns)


def test_magnetic_operations_and_moments():
    magnetic = (
        "loop_\n_space_group_symop_magn_operation.id\n_space_group_symop_magn_operation.xyz\n"
        "1 x,y,z,+1\n2 -x,-y,-z,+1\n"
        "loop_\n_space_group_symop_magn_centering.id\n_space_group_symop_magn_centering.xyz\n"
        "1 x,y,z,+1\n2 x+1/2,y+1/2,z+1/2,-1\n"
        "loop_\n_atom_site_moment.label\n_atom_site_moment.crystalaxis_x\n"
        "_atom_site_moment.crystalaxis_y\n_atom_site_moment.crystalaxis_z\nFe1 0 0 2.0\n"
    )
    sites = [("Fe1", "Fe", 0, 0, 0), ("O1", "O", 0.3, 0, 0)]
    atoms = crystal((4, 4.5, 5, 90, 90, 90), sites, None, magnetic)
    assert atoms.get_chemical_formula() == "Fe2O4"
    assert set(atoms.get_initial_magnetic_moments()[atoms.numbers == 26]) == {2.0}
    with pytest.raises(StructureError, match="magnetic group"):
        crystal(CUBE, sites, None, "_space_group_magn.number_BNS 62.448")
    with pytest.raises(StructureError, match="modulated"):
        crystal(CUBE, sites, None, "_cell_modulation_dimension 1")


def test_labels_of_elements():
    columns = ["label", "fract_x", "fract_y", "fract_z"]
    sites = [("CA1", 0, 0, 0), ("Ow2", 0.5, 0.5, 0.5)]
    with pytest.raises(StructureError, match="Ca or C"):
        crystal(CUBE, sites, columns=columns)
    atoms = crystal(CUBE, sites, None, "_chemical_formula_sum 'Ca O'", columns=columns)
    assert atoms.get_chemical_formula() == "CaO"
    charged = [("a", "SI4+", 0, 0, 0), ("b", "O2-", 0.5, 0.5, 0.5)]
    assert crystal(CUBE, charged).get_chemical_formula() == "OSi"
    heavy = crystal(CUBE, [("D1", "D", 0, 0, 0), ("F1", "F", 0.5, 0.5, 0.5)])
    assert heavy.get_masses()[0] == pytest.approx(2.01355)
    with pytest.raises(StructureError, match="names no element"):
        crystal(CUBE, [("Q1", "Q", 0, 0, 0)])


def test_unknown_and_coarse_coordinates():
    with pytest.raises(StructureError, match="site O1 has the coordinates"):
        crystal(CUBE, [ROCKSALT[0], ("O1", "O", "?", "?", "?")])
    with pytest.raises(StructureError, match="two readings disagree"):
        cell = (4.91, 4.91, 5.4, 90, 90, 120)
        crystal(cell, [("Si", "Si", 0.331, 0.666, 0.0)], "P -3 m 1")
    with pytest.raises(StructureError, match="cell lengths"):
        crystal(("?", 4, 4, 90, 90, 90), ROCKSALT)
    damaged = cif(CUBE, [*ROCKSALT, ("Mg2", "Mg", 0.1)])
    assert all(isinstance(answer, StructureError) for answer in read_cif(damaged))


def test_blocks_are_crystals_of_their_own():
    good, bad = cif(CUBE, ROCKSALT, "F m -3 m"), cif(CUBE, ROCKSALT, "F m m -3 n")
    kinds = [type(c).__name__ for c in read_cif(good + bad + good)]
    assert kinds == ["Atoms", "StructureError", "Atoms"]
