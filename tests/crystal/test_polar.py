"""The selection rule: no ionic permittivity where, or along which, no polar mode exists."""

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal
from crystals import CRYSTALS, NON_DIAGONAL, POINT_GROUPS, crystal_of_point_group, rutile
from equivariance import MOVES, permuted, turned
from networks import tiny_network

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.crystal.symmetry import analyse, primitive
from ase_eqtensor.train.fitting.samples import prepare
from ase_eqtensor.train.record import Record

# All atoms equivalent, and charges of one another's inverse: nothing is left for a dipole.
SILENT = {
    "Si": bulk("Si"),
    "Ge": bulk("Ge"),
    "diamond": bulk("C"),
    "Xe": bulk("Xe", "fcc", a=6.2),
    "Ti": bulk("Ti", "hcp", a=2.95, c=4.68),
    "Bi": crystal("Bi", [(0, 0, 0.234)], spacegroup=166, cellpar=[4.55, 4.55, 11.86, 90, 90, 120]),
}
# Optical modes of black phosphorus carry dipoles along b and c only.
BLACK_PHOSPHORUS = crystal(
    "P", [(0, 0.0806, 0.1017)], spacegroup=64, cellpar=[3.31, 10.48, 4.37, 90, 90, 90]
)
POLAR = {
    "fluorite": bulk("CaF2", "fluorite", a=5.46),
    "rutile": rutile(),
    "zincblende": bulk("GaAs", "zincblende", a=5.65),
    "wurtzite": CRYSTALS["wurtzite"],
    "tellurium": crystal(
        "Te", [(0.2633, 0, 1 / 3)], spacegroup=152, cellpar=[4.46, 4.46, 5.93, 90, 90, 120]
    ),
    "graphite": crystal(
        "CC", [(0, 0, 0.25), (1 / 3, 2 / 3, 0.25)], spacegroup=194,
        cellpar=[2.46, 2.46, 6.7, 90, 90, 120],
    ),
}  # fmt: skip
EVERY = SILENT | POLAR | {"black P": BLACK_PHOSPHORUS}


def polar_by_brute_force(atoms: Atoms) -> np.ndarray:
    """Projector (3, 3) on the dipoles of all Born charges that every operation of the space group
    leaves alone and that add up to zero, solved as one system of linear equations."""
    cell = primitive(atoms, analyse(atoms))
    scaled, basis = cell.get_scaled_positions(), cell.cell[:].T
    found = spglib.get_symmetry((cell.cell[:], scaled, cell.numbers), symprec=1e-2)
    n, rows = len(cell), []
    for rotation, translation in zip(found["rotations"], found["translations"]):
        cartesian = basis @ rotation @ np.linalg.inv(basis)
        action = np.kron(cartesian, cartesian)
        shift = (scaled @ rotation.T + translation)[:, None] - scaled[None]
        image = np.linalg.norm(shift - np.rint(shift), axis=2).argmin(axis=1)
        for a in range(n):
            row = np.zeros((9, n, 9))
            row[:, a] += action
            row[:, image[a]] -= np.eye(9)
            rows.append(row.reshape(9, -1))
    rows.append(np.tile(np.eye(9), n))
    system = np.concatenate(rows)
    _, strength, space = np.linalg.svd(system.T @ system)
    charges = space[strength < 1e-8 * strength[0]].reshape(-1, n, 3, 3)
    dipoles = np.einsum("kaij,kalj->il", charges, charges)
    strength, axes = np.linalg.eigh(dipoles)
    axes = axes[:, strength > 1e-6]
    return axes @ axes.T


@pytest.mark.parametrize("name", EVERY)
def test_well_known_crystals(name):
    expected = np.eye(3)
    if name in SILENT:
        expected = np.zeros((3, 3))
    if name == "black P":
        expected = np.diag([0.0, 1.0, 1.0])
    np.testing.assert_allclose(analyse(EVERY[name]).polar, expected, atol=1e-12)
    np.testing.assert_allclose(polar_by_brute_force(EVERY[name]), expected, atol=1e-8)


def one_species(symbol: str) -> Atoms:
    """A crystal of a point group with one orbit, in general position."""
    atoms = crystal_of_point_group(symbol)[0]
    return atoms[atoms.numbers == 14]


@pytest.mark.parametrize("symbol", POINT_GROUPS)
def test_crystals_of_every_point_group(symbol):
    for atoms in (crystal_of_point_group(symbol)[0], one_species(symbol)):
        if len(primitive(atoms, analyse(atoms))) <= 16:
            ours, theirs = analyse(atoms).polar, polar_by_brute_force(atoms)
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("name", ["black P", "Si", "rutile"])
def test_the_projector_belongs_to_the_crystal(name, move):
    atoms, q = EVERY[name], MOVES[move]
    expected = q @ analyse(atoms).polar @ q.T
    moved = permuted(turned(atoms, q))
    np.testing.assert_allclose(analyse(moved).polar, expected, atol=1e-10)
    big = make_supercell(moved, NON_DIAGONAL)
    np.testing.assert_allclose(analyse(big).polar, expected, atol=1e-10)


@pytest.fixture(scope="module")
def ionic():
    """Ionic parts (3, 3) of every crystal by the default model."""
    calculator = EqTensorCalculator(allow_untrained_elements=True)
    entries = zip(EVERY, calculator.predict(list(EVERY.values())))
    names = "dielectric_tensor", "electronic_dielectric_tensor"
    return {key: entry.tensors[names[0]] - entry.tensors[names[1]] for key, entry in entries}


@pytest.mark.parametrize("name", SILENT)
def test_eps_total_is_eps_inf_without_a_polar_mode(ionic, name):
    assert np.abs(ionic[name]).max() < 1e-9


def test_an_axis_without_a_polar_mode_has_no_ionic_part(ionic):
    assert np.abs(ionic["black P"][0]).max() < 1e-9
    assert np.diag(ionic["black P"])[1:].min() > 1e-3


@pytest.mark.parametrize("name", POLAR)
def test_other_crystals_have_one(ionic, name):
    assert np.linalg.eigvalsh(ionic[name])[0] > 0.01


def test_training_obeys_the_rule():
    """In a batch with others, and without a gradient of what cannot be there."""
    rows = [Record(EVERY[name], "dielectric", "test", name, {}) for name in ("Si", "rutile")]
    network = tiny_network().requires_grad_(True)
    tensors = network(collate([sample.graph for sample in prepare(rows, 5.0, workers=1)]))
    part = tensors["dielectric_tensor"] - tensors["electronic_dielectric_tensor"]
    assert part[0].abs().max() == 0 and part[1].diagonal().min() > 0
    part[0].sum().backward()
    assert all(
        p.grad is None or p.grad.abs().max() == 0 for p in network.heads["ionic"].parameters()
    )
