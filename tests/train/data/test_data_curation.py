"""Every reason to quarantine or reject a row, and the projection that the others go through."""

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal
from scipy.spatial.transform import Rotation

from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.tensors.notation import GPA, VOIGT_PAIRS, rotate_rank2, rotate_stiffness
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import DATASETS

NACL = bulk("NaCl", "rocksalt", a=5.64)
ZNS = bulk("ZnS", "zincblende", a=5.41)
SILICON = bulk("Si")
RUTILE = crystal(
    ["Ti", "O"],
    [(0, 0, 0), (0.305, 0.305, 0)],
    spacegroup=136,
    cellpar=[4.6, 4.6, 2.95, 90, 90, 90],
)
ROTATION = Rotation.from_euler("xyz", [20, 50, -70], degrees=True).as_matrix()


def cubic(c11, c12, c44):
    """Cubic stiffness in eV/Å^3 from GPa."""
    c = np.diag([c11 - c12] * 3 + [c44] * 3).astype(float)
    c[:3, :3] += c12
    return c * GPA


def turned(atoms, rotation):
    return Atoms(
        atoms.numbers,
        positions=atoms.positions @ rotation.T,
        cell=atoms.cell @ rotation.T,
        pbc=True,
    )


def elastic(stiffness, atoms=NACL):
    return curate(Record(atoms, "elastic", "test", "1", {"elasticity_tensor": stiffness}))


def dielectric(electronic, total, atoms=NACL):
    targets = {
        "electronic_dielectric_tensor": np.asarray(electronic, dtype=float),
        "dielectric_tensor": np.asarray(total, dtype=float),
    }
    return curate(Record(atoms, "dielectric", "test", "1", targets))


def reason(curated):
    return curated.quarantine.split(":")[0]


def test_stiffness_is_projected_in_the_frame_of_the_atoms():
    clean, rng = cubic(50, 13, 13), np.random.default_rng(0)
    noisy = clean + 0.02 * clean.max() * rng.normal(size=(6, 6))
    noisy = (noisy + noisy.T) / 2
    straight = elastic(noisy)
    assert not straight.quarantine
    c = straight.targets["elasticity_tensor"]
    np.testing.assert_allclose(c, cubic(c[0, 0] / GPA, c[0, 1] / GPA, c[3, 3] / GPA), atol=1e-12)
    assert 0.01 < straight.frame_deviation < 0.1
    rotated = elastic(rotate_stiffness(noisy, ROTATION), turned(NACL, ROTATION))
    np.testing.assert_allclose(
        rotated.targets["elasticity_tensor"], rotate_stiffness(c, ROTATION), atol=1e-10
    )


def test_moduli_of_the_stiffness():
    targets = elastic(cubic(100, 60, 20)).targets  # Zener ratio 1: Voigt = Reuss
    assert targets["k_vrh_gpa"] == pytest.approx(220 / 3)
    assert targets["g_vrh_gpa"] == pytest.approx(20)


@pytest.mark.parametrize(
    "stiffness, why",
    [
        (cubic(50, 60, 20), "indefinite stiffness"),
        (cubic(50, 13, -1), "indefinite stiffness"),
        (cubic(5000, 1300, 1800), "absurd modulus"),
        (cubic(100, 99, 0.5), "absurd Poisson ratio"),
        (cubic(100, 60, 20) / GPA, "absurd modulus"),  # GPa in place of eV/Å^3
    ],
)
def test_unphysical_stiffness(stiffness, why):
    assert reason(elastic(stiffness)) == why


def test_stiffness_in_the_wrong_frame():
    c = np.diag([270.0, 270, 480, 120, 120, 195]) * GPA
    assert not elastic(c, RUTILE).quarantine
    swapped = elastic(c[np.ix_([2, 1, 0, 5, 4, 3], [2, 1, 0, 5, 4, 3])], RUTILE)
    assert reason(swapped) == "wrong frame"


def test_permittivity_is_symmetrised_and_projected():
    noise = np.array([[0.01, 0.02, 0], [-0.01, 0, 0], [0, 0.03, 0]])
    got = dielectric(2.4 * np.eye(3) + noise, 5.5 * np.eye(3), turned(NACL, ROTATION))
    assert not got.quarantine
    eps = got.targets["electronic_dielectric_tensor"]
    np.testing.assert_allclose(eps, eps[0, 0] * np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    "electronic, total, why",
    [
        (0.9, 3.0, "permittivity below 1"),
        (2.4, 5000, "absurd permittivity"),
        (5.5, 2.4, "negative ionic part"),
        (2.4, 2.4, "missing ionic part"),
    ],
)
def test_unphysical_permittivity(electronic, total, why):
    assert reason(dielectric(electronic * np.eye(3), total * np.eye(3))) == why


def test_ionic_part_missing_along_one_axis():
    total = np.diag([5.0, 5.0, 30])
    assert reason(dielectric(5 * np.eye(3), total, RUTILE)) == "missing ionic part"


def test_an_element_has_no_ionic_part():
    assert not dielectric(12 * np.eye(3), 12 * np.eye(3), SILICON).quarantine


def test_one_permittivity_is_enough():
    noise = np.array([[0, 0.02, 0], [0, 0, 0], [0, 0, 0]])
    for name in DATASETS["dielectric"].columns:
        given = {name: 2.4 * np.eye(3) + noise}
        row = curate(Record(NACL, "dielectric", "test", "1", given))
        assert row.targets.keys() == {name} and not row.quarantine
        np.testing.assert_allclose(row.targets[name], 2.4 * np.eye(3), atol=1e-12)
        below = curate(Record(NACL, "dielectric", "test", "1", {name: 0.5 * np.eye(3)}))
        assert reason(below) == "permittivity below 1"
    rejected = curate(Record(NACL, "dielectric", "test", "1", {}))
    assert rejected.reason == "missing target: electronic_dielectric_tensor, dielectric_tensor"


def test_one_modulus_is_not_enough():
    rejected = curate(Record(NACL, "moduli", "test", "1", {"k_vrh_gpa": 100.0}))
    assert isinstance(rejected, Rejection) and rejected.reason == "missing target: g_vrh_gpa"


def test_permittivity_in_the_wrong_frame():
    eps = np.diag([6.0, 6, 12])
    assert not dielectric(eps, 2 * eps, RUTILE).quarantine
    off = rotate_rank2(eps, ROTATION)
    assert reason(dielectric(off, 2 * off, RUTILE)) == "wrong frame"


def zincblende_piezoelectric(e14):
    """In e/Å^2 from C/m^2."""
    e = np.zeros((3, 6))
    e[0, 3] = e[1, 4] = e[2, 5] = e14
    return e / C_PER_M2


def piezoelectric(tensor, atoms=ZNS):
    record = Record(atoms, "piezoelectric", "test", "1", {"piezoelectric_tensor": tensor})
    return curate(record)


def test_piezoelectric_tensor_turns_like_a_rank_3_tensor():
    e = np.random.default_rng(1).normal(size=(3, 6))
    full = np.zeros((3, 3, 3))
    for i, (v, (j, k)) in product(range(3), enumerate(VOIGT_PAIRS)):
        full[i, j, k] = full[i, k, j] = e[i, v]
    moved = np.einsum("ia,jb,kc,abc->ijk", ROTATION, ROTATION, ROTATION, full)
    expected = np.array([[moved[i, j, k] for j, k in VOIGT_PAIRS] for i in range(3)])
    np.testing.assert_allclose(PIEZOELECTRIC.rotate(e, ROTATION), expected, atol=1e-12)
    assert np.linalg.norm(PIEZOELECTRIC.from_ase(e)) == pytest.approx(np.linalg.norm(full))
    inversion = np.array([np.eye(3), -np.eye(3)])
    np.testing.assert_allclose(PIEZOELECTRIC.project(e, inversion), 0, atol=1e-15)


def test_piezoelectric_frame():
    right = piezoelectric(zincblende_piezoelectric(0.2))
    np.testing.assert_allclose(
        right.targets["piezoelectric_tensor"], zincblende_piezoelectric(0.2), atol=1e-12
    )
    wrong = piezoelectric(PIEZOELECTRIC.rotate(zincblende_piezoelectric(0.2), ROTATION))
    assert isinstance(wrong, Rejection)
    assert wrong.reason.startswith("wrong frame")
    noise = piezoelectric(PIEZOELECTRIC.rotate(zincblende_piezoelectric(0.002), ROTATION))
    assert isinstance(noise, Record)


@pytest.mark.parametrize(
    "k, g, why",
    [
        (100.0, 60.0, ""),
        (-5.0, 60.0, "modulus not positive"),
        (100.0, 0.0, "modulus not positive"),
        (2000.0, 900.0, "absurd modulus"),
        (15.0, 84.0, "absurd Poisson ratio"),
    ],
)
def test_moduli(k, g, why):
    record = Record(NACL, "moduli", "test", "1", {"k_vrh_gpa": k, "g_vrh_gpa": g})
    assert reason(curate(record)) == why


@pytest.mark.parametrize("energy, why", [(-4.3, ""), (-27.0, "absurd formation energy")])
def test_formation_energy(energy, why):
    record = Record(NACL, "formation_energy", "test", "1", {"formation_energy": energy})
    assert reason(curate(record)) == why


def test_doubt_of_the_source_stays():
    targets = {"elasticity_tensor": cubic(50, 13, 13)}
    record = Record(NACL, "elastic", "test", "1", targets, quarantine="doubtful frame")
    assert curate(record).quarantine == "doubtful frame"


@pytest.mark.parametrize(
    "targets, why",
    [
        ({}, "missing target"),
        ({"elasticity_tensor": np.eye(3)}, "wrong shape"),
        ({"elasticity_tensor": np.full((6, 6), np.nan)}, "not finite"),
    ],
)
def test_malformed(targets, why):
    rejected = curate(Record(NACL, "elastic", "test", "1", targets))
    assert isinstance(rejected, Rejection)
    assert (rejected.source_id, rejected.formula) == ("1", "NaCl")
    assert rejected.reason.startswith(why)


def test_no_cell():
    flat = Atoms("NaCl", positions=[[0, 0, 0], [1, 1, 1]])
    targets = {"formation_energy": -1.0}
    assert isinstance(curate(Record(flat, "formation_energy", "test", "1", targets)), Rejection)


def test_curation_changes_nothing_in_place():
    stiffness = cubic(50, 13, 13)
    stiffness[0, 1] += 0.01
    before, positions = stiffness.copy(), NACL.positions.copy()
    elastic(stiffness)
    np.testing.assert_array_equal(stiffness, before)
    np.testing.assert_array_equal(NACL.positions, positions)
