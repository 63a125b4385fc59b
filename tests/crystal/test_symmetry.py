"""Point groups, site classes, orbits and primitive cells against independent constructions."""

from collections import Counter

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal
from crystals import quartz, rutile
from scipy.spatial.transform import Rotation

from ase_eqtensor.crystal.site_classes import SITE_CLASSES
from ase_eqtensor.crystal.symmetry import analyse, primitive

# First (standard) setting of each space group.
HALL_NUMBER = {spglib.get_spacegroup_type(h).number: h for h in range(530, 0, -1)}
NON_DIAGONAL = np.array([[1, 1, 0], [0, 2, 1], [1, 0, 2]])  # determinant 5


def corundum(primitive_cell: bool) -> Atoms:
    return crystal(["Al", "O"], [(0, 0, 0.352), (0.306, 0, 0.25)], spacegroup=167,
                   cellpar=[4.76, 4.76, 12.99, 90, 90, 120],
                   primitive_cell=primitive_cell)  # fmt: skip


def perovskite() -> Atoms:
    return Atoms("SrTiO3", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0),
                 (0.5, 0, 0.5), (0, 0.5, 0.5)], cell=[3.9] * 3, pbc=True)  # fmt: skip


CRYSTALS = {
    "silicon": bulk("Si"),
    "rocksalt": bulk("MgO", "rocksalt", a=4.21),
    "hcp titanium": bulk("Ti"),
    "wurtzite": bulk("ZnO", "wurtzite", a=3.25, c=5.21, u=0.382),
    "rutile": rutile(),
    "quartz": quartz(),
    "corundum, hexagonal": corundum(primitive_cell=False),
    "corundum, rhombohedral": corundum(primitive_cell=True),
    "perovskite": perovskite(),
}
EXPECTED = ["-43m", "m-3m", "-6m2", "3m", "mmm mm2", "2 1", "3 2", "3 2", "m-3m 4/mmm"]
crystals = pytest.mark.parametrize("name", CRYSTALS)


def classes(symmetry) -> list[str]:
    return [SITE_CLASSES[i] for i in symmetry.site_class]


def maps_onto(moved: np.ndarray, atoms: Atoms) -> bool:
    """Whether the positions `moved` (N, 3), in atom order, repeat the crystal by species."""
    shift = (moved[:, None] - atoms.positions) @ np.linalg.inv(atoms.cell)
    distance = np.linalg.norm((shift - np.rint(shift)) @ atoms.cell, axis=-1)
    same = atoms.numbers[:, None] == atoms.numbers
    return bool(((distance < 1e-3) & same).any(axis=1).all())


def class_by_search(atoms: Atoms, center: np.ndarray, rotations: np.ndarray) -> str:
    """Site class found by turning the whole crystal about `center`."""
    kept = [r for r in rotations if maps_onto((atoms.positions - center) @ r.T + center, atoms)]
    basis = primitive(atoms, analyse(atoms)).cell[:].T
    integers = np.rint(np.linalg.inv(basis) @ np.array(kept) @ basis).astype(int)
    return spglib.get_pointgroup(integers)[0].strip()


def assert_group(rotations: np.ndarray) -> None:
    assert abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max() < 1e-14
    products = (rotations[:, None] @ rotations).reshape(-1, 1, 9)
    assert abs(products - rotations.reshape(-1, 9)).max(axis=2).min(axis=1).max() < 1e-13
    np.testing.assert_allclose(rotations[0], np.eye(3), atol=1e-14)


def assert_same_set(a: np.ndarray, b: np.ndarray, atol: float) -> None:
    assert len(a) == len(b)
    distance = abs(a.reshape(-1, 1, 9) - b.reshape(1, -1, 9)).max(axis=2)
    assert distance.min(axis=0).max() < atol and distance.min(axis=1).max() < atol


def crystal_of_group(number: int, rng: np.random.Generator):
    """Crystal of a space group in its standard setting and a random orientation.

    Returns atoms, the site class of each from the operations that generated it, and the order of
    the point group. Two species in general position fix the group; others sit where operations
    meet, no two atoms closer than 0.5 Å.
    """
    operations = spglib.get_symmetry_from_database(HALL_NUMBER[number])
    rotations, translations = operations["rotations"], operations["translations"]
    metric = np.diag([64.0, 100.0, 144.0]) + rng.uniform(-5, 5, (3, 3))
    metric = np.mean([w.T @ (metric + metric.T) @ w for w in rotations], axis=0) / 2
    cell = np.linalg.cholesky(metric) @ Rotation.random(rng=rng).as_matrix()

    def fixed_by(points):
        shift = points @ rotations.transpose(0, 2, 1) + translations[:, None] - points
        return abs(shift - np.rint(shift)).max(axis=2) < 1e-6

    # Symmetry elements meet at simple fractions: one such point for each stabiliser order.
    fractions = [*np.arange(8) / 8, 1 / 3, 2 / 3]
    grid = np.stack(np.meshgrid(fractions, fractions, fractions), axis=-1).reshape(-1, 3)
    _, first = np.unique(fixed_by(grid).sum(axis=0), return_index=True)
    scaled, numbers, names, species = np.empty((0, 3)), [], [], 0
    for point in [*rng.random((40, 3)), *grid[first[::-1]]]:
        if species == 2 and fixed_by(point[None]).sum() == 1:
            continue
        orbit = rotations @ point + translations
        shift = orbit[:, None] - orbit
        same = abs(shift - np.rint(shift)).max(axis=2) < 1e-6
        orbit = orbit[np.unique(same.argmax(axis=1))]
        shift = orbit[:, None] - np.concatenate([orbit, scaled])
        distance = np.linalg.norm((shift - np.rint(shift)) @ cell, axis=2)
        if np.sort(distance, axis=1)[:, 1:].min(initial=1.0) < 0.5:
            continue
        species += 1
        scaled = np.concatenate([scaled, orbit])
        numbers += [species] * len(orbit)
        names += [spglib.get_pointgroup(rotations[fixed])[0].strip() for fixed in fixed_by(orbit).T]
    atoms = Atoms(numbers, scaled_positions=scaled, cell=cell, pbc=True)
    return atoms, names, len(np.unique(rotations, axis=0))


def test_all_space_groups_and_site_classes():
    rng = np.random.default_rng(0)
    seen = set()
    for number in range(1, 231):
        atoms, expected, order = crystal_of_group(number, rng)
        symmetry = analyse(atoms, symprec=1e-3)
        assert symmetry.space_group == number
        assert len(symmetry.rotations) == order
        assert classes(symmetry) == expected, number
        tabulated = spglib.get_spacegroup_type(HALL_NUMBER[number])
        assert symmetry.point_group == tabulated.pointgroup_international
        seen.update(expected)
    assert seen == set(SITE_CLASSES) - {"unknown"}


@crystals
def test_classes_equal_stabiliser_search(name):
    atoms = CRYSTALS[name]
    symmetry = analyse(atoms)
    found = [class_by_search(atoms, p, symmetry.rotations) for p in atoms.positions]
    assert classes(symmetry) == found
    assert set(found) == set(EXPECTED[list(CRYSTALS).index(name)].split())


@crystals
def test_point_group_is_an_orthogonal_group_of_the_crystal(name):
    atoms = CRYSTALS[name].copy()
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    symmetry = analyse(atoms)
    assert_group(symmetry.rotations)
    lattice = primitive(atoms, symmetry).cell[:]
    turned = lattice @ symmetry.rotations.transpose(0, 2, 1) @ np.linalg.inv(lattice)
    np.testing.assert_allclose(turned, np.rint(turned), atol=1e-5)


@crystals
def test_supercell_has_the_symmetry_of_its_primitive_cell(name):
    atoms = CRYSTALS[name]
    one = analyse(atoms)
    big = make_supercell(atoms, NON_DIAGONAL)
    many = analyse(big)
    assert many.space_group == one.space_group
    assert_same_set(many.rotations, one.rotations, atol=1e-8)
    assert Counter(classes(many)) == Counter(classes(one) * 5)
    assert len(np.unique(many.orbit)) == len(np.unique(one.orbit))

    cell = primitive(big, many)
    reference = primitive(atoms, one)
    assert len(cell) == len(reference)
    change = cell.cell[:] @ np.linalg.inv(reference.cell[:])
    np.testing.assert_allclose(change, np.rint(change), atol=1e-12)
    assert abs(np.linalg.det(change)) == pytest.approx(1, abs=1e-12)
    assert maps_onto(big.positions[many.primitive_index], cell)
    shift = (big.positions[:, None] - cell.positions) @ np.linalg.inv(cell.cell)
    on_site = abs(shift - np.rint(shift)).max(axis=2) < 1e-10
    assert (on_site & (big.numbers[:, None] == cell.numbers)).sum(axis=1).tolist() == [1] * len(big)


@crystals
def test_rotating_the_crystal_rotates_its_group(name):
    atoms = CRYSTALS[name]
    before = analyse(atoms)
    q = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    turned = atoms.copy()
    turned.set_cell(atoms.cell[:] @ q.T, scale_atoms=True)
    after = analyse(turned)
    assert_same_set(after.rotations, q @ before.rotations @ q.T, atol=1e-6)
    assert classes(after) == classes(before)
    change = after.primitive_cell @ np.linalg.inv(before.primitive_cell @ q.T)
    np.testing.assert_allclose(change, np.rint(change), atol=1e-10)


def test_primitive_cell_is_returned_as_given():
    atoms = CRYSTALS["wurtzite"].copy()
    atoms.set_cell(np.array([[1, 0, 0], [3, 1, 0], [0, 2, 1]]) @ atoms.cell[:])  # skewed
    symmetry = analyse(atoms)
    np.testing.assert_array_equal(symmetry.primitive_cell, atoms.cell[:])
    np.testing.assert_array_equal(symmetry.primitive_index, np.arange(len(atoms)))


@crystals
def test_distorted_cell_gives_orthogonal_operations(name):
    atoms = CRYSTALS[name]
    ideal = analyse(atoms)
    strain = 4e-4 * np.random.default_rng(1).normal(size=(3, 3))
    distorted = atoms.copy()
    distorted.set_cell(atoms.cell[:] @ (np.eye(3) + strain + strain.T), scale_atoms=True)
    symmetry = analyse(distorted)
    assert symmetry.space_group == ideal.space_group
    assert_group(symmetry.rotations)
    # A symmetric strain does not turn the crystal, so the group stays where it was.
    assert_same_set(symmetry.rotations, ideal.rotations, atol=3 * abs(strain).max())
    # Taken through the distorted cell the same operations are not orthogonal.
    basis = symmetry.primitive_cell.T
    integers = np.rint(np.linalg.inv(basis) @ symmetry.rotations @ basis)
    naive = basis @ integers @ np.linalg.inv(basis)
    assert abs(naive @ naive.transpose(0, 2, 1) - np.eye(3)).max() > 1e-4


def test_supercell_that_breaks_the_lattice_symmetry_keeps_the_whole_group():
    symmetry = analyse(bulk("Si") * (1, 1, 2))
    assert (symmetry.point_group, len(symmetry.rotations)) == ("m-3m", 48)
    assert classes(symmetry) == ["-43m"] * 4
    assert len(np.unique(symmetry.orbit)) == 1


def test_molecular_dynamics_frame_is_a_general_position():
    atoms = bulk("Si", cubic=True) * 2
    atoms.rattle(0.05, seed=0)
    symmetry = analyse(atoms)
    assert (symmetry.space_group, symmetry.known) == (1, True)
    assert set(classes(symmetry)) == {"1"}
    assert len(symmetry.primitive_index) == len(atoms)


def test_noise_far_below_symprec_changes_nothing():
    for atoms in CRYSTALS.values():
        noisy = atoms.copy()
        noisy.rattle(2e-4, seed=0)
        assert classes(analyse(noisy)) == classes(analyse(atoms))


@pytest.mark.parametrize("failure", ["none", "exception"])
def test_failed_search_gives_unknown(failure, monkeypatch):
    atoms = bulk("MgO", "rocksalt", a=4.21, cubic=True)

    def fail(*args, **kwargs):
        if failure == "exception":
            raise spglib.error.SpglibError("nothing found")

    monkeypatch.setattr(spglib, "get_symmetry_dataset", fail)
    symmetry = analyse(atoms)
    assert not symmetry.known
    assert (symmetry.point_group, symmetry.space_group) == ("unknown", 0)
    assert set(classes(symmetry)) == {"unknown"}
    np.testing.assert_array_equal(symmetry.rotations, np.eye(3)[None])
    whole = primitive(atoms, symmetry)
    np.testing.assert_array_equal(whole.positions, atoms.positions)
    np.testing.assert_array_equal(whole.cell[:], atoms.cell[:])


def test_overlapping_atoms_give_unknown():
    atoms = Atoms("Si2", positions=[(0, 0, 0), (0, 0, 0)], cell=[3, 3, 3], pbc=True)
    assert set(classes(analyse(atoms))) == {"unknown"}


def test_one_search_per_crystal_and_untouched_input(monkeypatch):
    calls = []
    search = spglib.get_symmetry_dataset
    monkeypatch.setattr(
        spglib, "get_symmetry_dataset", lambda *a, **k: calls.append(1) or search(*a, **k)
    )
    atoms = rutile() * (1, 1, 2)
    atoms.positions += 7.0  # outside the cell
    before = atoms.copy()
    primitive(atoms, analyse(atoms))
    assert len(calls) == 1
    assert atoms == before


def test_magnetic_moments_are_ignored():
    atoms = bulk("NiO", "rocksalt", a=4.18, cubic=True)
    plain = analyse(atoms)
    atoms.set_initial_magnetic_moments([2, -2, 2, -2, 0, 0, 0, 0])
    assert analyse(atoms).space_group == plain.space_group == 225
    assert len(analyse(atoms).primitive_index) == 2
