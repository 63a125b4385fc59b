"""Relaxation and finite-strain stiffness: physics, with ASE's effective-medium potential."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.optimize import BFGS
from crystals import crystal_of_point_group

from ase_eqtensor.crystal.site_classes import SITE_CLASSES
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.errors import StructureError
from ase_eqtensor.potential.relaxation import MAX_FORCE, MAX_STRESS, relax
from ase_eqtensor.potential.response import _displacements, _probes, _subsets, response
from ase_eqtensor.potential.symmetric import symmetric_crystal
from ase_eqtensor.tensors.notation import GPA, MANDEL_MATRICES, VOIGT_PAIRS, rotate_stiffness
from ase_eqtensor.train.teacher.copies import at_volume


def hcp() -> Atoms:
    return bulk("Cu", "hcp", a=2.6, c=4.1)


def layered() -> Atoms:
    """CuAu, tetragonal."""
    sites = [(0, 0, 0), (0.5, 0.5, 0.5)]
    return Atoms("CuAu", scaled_positions=sites, cell=[2.8, 2.8, 3.8], pbc=True)


def irregular() -> Atoms:
    """No symmetry: four atoms of three elements, displaced from a cube's sites."""
    atoms = bulk("Cu", cubic=True, a=3.9)
    atoms.symbols[:2] = "AuPd"
    atoms.rattle(0.05, seed=1)
    return atoms


def relaxed_stiffness(atoms: Atoms) -> np.ndarray:
    """As labels have it: relaxed first."""
    return response(relax(symmetric_crystal(atoms), EMT()).crystal, EMT()).relaxed


def reference(atoms: Atoms, strain: float = 0.005) -> np.ndarray:
    """Voigt stiffness (6, 6) in GPa without symmetry: six strains of both signs, ions relaxed."""
    columns = []
    for a, b in VOIGT_PAIRS:
        stresses = []
        for sign in (1, -1):
            tensor = np.zeros((3, 3))
            tensor[a, b] = tensor[b, a] = sign * strain
            strained = atoms.copy()
            strained.set_cell(atoms.cell @ (np.eye(3) + tensor), scale_atoms=True)
            strained.calc = EMT()
            BFGS(strained, logfile=None).run(fmax=1e-4, steps=200)
            stresses.append(strained.get_stress() / GPA)
        columns.append((stresses[0] - stresses[1]) / (2 * strain * (1 if a == b else 2)))
    return np.array(columns).T


@pytest.mark.parametrize("make", [lambda: bulk("Cu"), hcp, layered, irregular])
def test_agrees_with_six_strains_and_relaxed_ions(make):
    relaxed = relax(symmetric_crystal(make()), EMT(), max_steps=200)
    assert relaxed.converged
    result = response(relaxed.crystal, EMT())
    expected = reference(relaxed.crystal.atoms)
    assert np.abs(result.relaxed - expected).max() < 0.005 * np.abs(expected).max()
    assert result.misfit < 0.01


def test_copper_as_published():
    """K. W. Jacobsen, P. Stoltze, J. K. Norskov, Surf. Sci. 366, 394 (1996), the potential's own
    values: C11 173, C12 116, C44 91 GPa; one strain tells them all."""
    relaxed = relax(symmetric_crystal(bulk("Cu", cubic=True)), EMT())
    result = response(relaxed.crystal, EMT())
    found = result.relaxed
    assert found[[0, 0, 3], [0, 1, 3]] == pytest.approx([173, 116, 91], rel=0.02)
    cubic = np.zeros((6, 6))
    cubic[:3, :3], cubic[range(3), range(3)] = found[0, 1], found[0, 0]
    cubic[range(3, 6), range(3, 6)] = found[3, 3]
    np.testing.assert_allclose(found, cubic, atol=1e-9)
    assert result.evaluations == 2 and result.least_force_constant is None


@pytest.mark.parametrize("make", [hcp, layered])
def test_turns_with_the_crystal(make):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]  # a mirror image, too
    atoms = make()
    turned = Atoms(atoms.symbols, atoms.positions @ turn.T, cell=atoms.cell @ turn.T, pbc=True)
    expected = rotate_stiffness(relaxed_stiffness(atoms), turn)
    assert np.abs(relaxed_stiffness(turned) - expected).max() < 0.002 * np.abs(expected).max()


def test_supercell_is_the_primitive_crystal():
    supercell = make_supercell(hcp(), [[1, 1, 0], [0, 2, 0], [0, 0, 1]])
    expected = relaxed_stiffness(hcp())
    assert np.abs(relaxed_stiffness(supercell) - expected).max() < 0.002 * np.abs(expected).max()


def test_relaxing_ions_softens():
    """In hcp the two atoms move against each other when the base is strained."""
    crystal = relax(symmetric_crystal(hcp()), EMT()).crystal
    assert crystal.coupled().shape[1] == 2
    result = response(crystal, EMT())
    assert result.clamped[0, 0] - result.relaxed[0, 0] > 5
    assert np.linalg.eigvalsh(result.clamped - result.relaxed).min() > -1e-9
    assert result.least_force_constant > 0


def test_ions_move_as_internal_strain_says():
    atoms = relax(symmetric_crystal(hcp()), EMT()).crystal
    strain = 0.004 * np.array([[1.0, 0.5, 0], [0.5, -0.3, 0], [0, 0, 0]])
    strained = atoms.atoms.copy()
    strained.set_cell(strained.cell @ (np.eye(3) + strain), scale_atoms=True)
    followed = strained.positions.copy()
    strained.calc = EMT()
    BFGS(strained, logfile=None).run(fmax=1e-5)
    moved = strained.positions - followed
    mandel = np.einsum("iab,ab->i", MANDEL_MATRICES, strain)
    expected = (response(atoms, EMT()).internal_strain @ mandel).reshape(-1, 3)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(moved - moved.mean(0), expected, atol=0.02 * np.abs(expected).max())


def test_bulk_modulus_under_pressure():
    """K of a compressed crystal is the slope of pressure against volume."""
    crystal = relax(symmetric_crystal(bulk("Cu")), EMT()).crystal
    pressures = []
    for ratio in (0.902, 0.898):
        copy = relax(at_volume(crystal, ratio), EMT(), fixed_cell=True)
        assert copy.converged
        pressures.append(-np.trace(copy.stress) / 3)
    slope = (pressures[1] - pressures[0]) / np.log(0.902 / 0.898)
    found = response(at_volume(crystal, 0.9), EMT()).relaxed
    assert (found[0, 0] + 2 * found[0, 1]) / 3 == pytest.approx(slope, rel=2e-3)


def test_relaxation_keeps_symmetry_and_frame():
    given = irregular()
    for atoms in (hcp(), layered(), given):
        start = symmetric_crystal(atoms)
        relaxed = relax(start, EMT(), max_steps=200)
        assert relaxed.converged and relaxed.max_force < MAX_FORCE
        assert np.abs(relaxed.stress).max() < MAX_STRESS
        stretch = np.linalg.solve(start.atoms.cell, relaxed.crystal.atoms.cell)
        np.testing.assert_allclose(stretch, stretch.T, atol=1e-12)
        if atoms is not given:  # which comes within symprec of a tetragonal crystal
            assert analyse(relaxed.crystal.atoms).space_group == analyse(atoms).space_group
    energy = [a.get_potential_energy() for a in (_with(given), _with(relaxed.crystal.atoms))]
    assert energy[1] < energy[0]


def test_fixed_cell_stays():
    relaxed = relax(symmetric_crystal(irregular()), EMT(), fixed_cell=True, max_steps=200)
    assert relaxed.converged and np.abs(relaxed.stress).max() > MAX_STRESS
    np.testing.assert_allclose(relaxed.crystal.atoms.cell, irregular().cell, atol=1e-12)


def test_what_does_not_converge_says_so():
    relaxed = relax(symmetric_crystal(irregular()), EMT(), max_steps=1)
    assert not relaxed.converged and relaxed.max_force > MAX_FORCE and relaxed.evaluations == 2


class Constant(Calculator):
    """The same stress whatever the volume."""

    implemented_properties = ["energy", "forces", "stress"]

    def __init__(self, stress: float):
        super().__init__()
        self.stress = stress

    def calculate(self, atoms=None, properties=(), system_changes=()):
        super().calculate(atoms)
        stress = np.array([self.stress] * 3 + [0.0] * 3)
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3)), "stress": stress}


def test_what_has_no_volume_is_an_error():
    with pytest.raises(StructureError, match="volume leaves"):
        relax(symmetric_crystal(bulk("Cu")), Constant(-1.0))
    with pytest.raises(StructureError, match="not finite"):
        relax(symmetric_crystal(bulk("Cu")), Constant(np.nan))


def test_instability_is_seen():
    """Copper stacked as simple cubic gives way under shear."""
    crystal = relax(symmetric_crystal(bulk("Cu", "sc", a=2.4)), EMT()).crystal
    assert np.linalg.eigvalsh(response(crystal, EMT()).relaxed)[0] < 0


@pytest.mark.parametrize("symbol", SITE_CLASSES[1:])
def test_every_point_group(symbol):
    """The crystal becomes exactly symmetric; its probes tell about every strain and displacement,
    and are fewest where symmetry is highest."""
    atoms, _ = crystal_of_point_group(symbol)
    noise = np.random.default_rng(0).normal(scale=1e-4, size=atoms.positions.shape)
    atoms.positions += noise
    crystal = symmetric_crystal(atoms)
    cell, positions = np.array(crystal.atoms.cell), crystal.atoms.positions
    for rotation, image in zip(crystal.rotations, crystal.images):
        multiples = cell @ rotation.T @ np.linalg.inv(cell)
        np.testing.assert_allclose(multiples, np.rint(multiples), atol=1e-9)
        shift = (positions[image] - positions @ rotation.T) @ np.linalg.inv(cell)
        shift -= shift[0]
        np.testing.assert_allclose(shift, np.rint(shift), atol=1e-9)
    actions, strains = crystal.actions, np.eye(len(crystal.internal))[:, :6]
    np.testing.assert_allclose(actions @ actions.transpose(0, 2, 1), np.eye(len(strains))[None]
                               .repeat(len(actions), 0), atol=1e-9)  # fmt: skip
    by_strain = _probes(actions, strains, strains @ _subsets(6).T)
    coupled = crystal.coupled()
    probes = [*by_strain, *_probes(actions, coupled, _displacements(coupled))]
    strength = np.linalg.svd(np.concatenate([actions @ v for v in probes]), compute_uv=False)
    rank = 6 + coupled.shape[1]
    assert strength[rank - 1] > 0.02 * strength[0] and (strength[rank:] < 1e-9 * strength[0]).all()
    needed = {"1": 6, "-1": 6, "m-3m": 1, "-43m": 1, "432": 1, "mmm": 3, "6/mmm": 2}
    assert len(by_strain) == needed.get(symbol, len(by_strain))


def test_displacements_that_strains_cause():
    """None in rocksalt, the sublattices against each other in zincblende."""
    assert symmetric_crystal(bulk("NaCl", "rocksalt", 5.6)).coupled().shape[1] == 0
    assert symmetric_crystal(bulk("ZnS", "zincblende", 5.4)).coupled().shape[1] == 3


def _with(atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = EMT()
    return atoms


@pytest.mark.parametrize("make", [hcp, layered, irregular])
def test_force_constants(make):
    """Beside plain finite differences of every coordinate; rigid translations cost nothing."""
    crystal = relax(symmetric_crystal(make()), EMT()).crystal
    found = response(crystal, EMT(), force_constants=True)
    size, step = 3 * len(crystal.atoms), 0.01
    expected = np.zeros((size, size))
    for i, row in enumerate(expected):
        for sign in (1, -1):
            moved = crystal.atoms.copy()
            moved.positions.flat[i] += sign * step
            moved.calc = EMT()
            row -= sign * moved.get_forces().ravel() / (2 * step)
    assert found.force_constants == pytest.approx(expected, abs=0.02)
    translation = np.tile(np.eye(3), (len(crystal.atoms), 1))
    assert np.abs(found.force_constants @ translation).max() < 1e-9
    alone = response(crystal, EMT())
    assert alone.force_constants is None and alone.evaluations <= found.evaluations
    assert found.relaxed == pytest.approx(alone.relaxed, abs=1e-3 * np.abs(alone.relaxed).max())
