"""Our tensors in the programs that take them: ASE, pymatgen, matscipy, phonopy."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.stress import full_3x3_to_voigt_6_stress, get_elasticity_tensor
from ase.units import GPa
from crystals import CRYSTALS
from electromechanics import SILICON
from pymatgen.analysis.interfaces.substrate_analyzer import SubstrateAnalyzer
from pymatgen.io.ase import AseAtomsAdaptor

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.analysis import elastic_tensor, refractive_indices
from ase_eqtensor.tensors.notation import cartesian_to_voigt, voigt_to_cartesian


@pytest.fixture
def quartz(model):
    atoms = CRYSTALS["quartz"].copy()
    atoms.calc = EqTensorCalculator(model)
    return atoms


def test_pymatgen_gives_back_the_tensor_and_its_energy(quartz):
    stiffness = quartz.get_property("elasticity_tensor")
    elastic = elastic_tensor(stiffness)
    np.testing.assert_allclose(elastic.voigt * GPa, stiffness, rtol=1e-8, atol=1e-10)
    strain = np.array([[0.01, 0.002, 0], [0.002, -0.01, 0.003], [0, 0.003, 0.02]])
    energy = np.einsum("ij,ijkl,kl", strain, voigt_to_cartesian(stiffness), strain) / 2
    assert elastic.energy_density(strain) == pytest.approx(energy)  # both in eV/Å^3


def test_matscipy_reads_the_same_stiffness(quartz):
    from matscipy.elasticity import Voigt_6x6_to_full_3x3x3x3, rotate_elastic_constants

    stiffness = quartz.get_property("elasticity_tensor")
    full = Voigt_6x6_to_full_3x3x3x3(stiffness)
    np.testing.assert_allclose(full, voigt_to_cartesian(stiffness))
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = quartz.copy()
    turned.set_cell(quartz.cell @ turn.T, scale_atoms=True)
    turned.calc = quartz.calc
    np.testing.assert_allclose(
        rotate_elastic_constants(stiffness, turn),
        turned.get_property("elasticity_tensor"),
        rtol=1e-4,
        atol=1e-6,
    )


def test_index_order_and_unit_are_those_of_ase_finite_strains():
    """ASE's (3, 3, 3, 3) from any calculator and our (6, 6) describe the same stress."""
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-4)
    full = get_elasticity_tensor(atoms)
    stiffness = cartesian_to_voigt(full)
    assert 100 * GPa < stiffness[0, 0] < 250 * GPa
    strain = np.array([[0, 0, 1e-4], [0, 0, 0], [1e-4, 0, 0]])
    strained = atoms.copy()
    strained.calc = EMT()
    strained.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    stress = strained.get_stress() - atoms.get_stress()
    expected = stiffness @ (full_3x3_to_voigt_6_stress(strain) * [1, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(stress, expected, atol=2e-2 * np.abs(expected).max())


def test_refractive_indices_of_a_uniaxial_crystal(quartz):
    indices = refractive_indices(quartz.get_property("electronic_dielectric_tensor"))
    eps = quartz.get_property("electronic_dielectric_tensor")
    np.testing.assert_allclose(np.sort(indices), np.sqrt(np.sort(np.diag(eps))), rtol=1e-6)


def test_phonopy_splits_lo_from_to_by_the_lyddane_sachs_teller_relation():
    """Two ions with springs, Born charges ±Z: w_LO^2 - w_TO^2 = 4 pi e^2 Z^2/(eps_inf V mu)."""
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = bulk("MgO", "rocksalt", a=4.21)
    atoms.calc = EqTensorCalculator()
    eps = atoms.get_property("electronic_dielectric_tensor")
    cell = PhonopyAtoms(atoms.symbols, cell=atoms.cell[:], positions=atoms.positions)
    phonon = Phonopy(cell, np.diag([2, 2, 2]), primitive_matrix=np.eye(3))
    n = len(phonon.supercell)
    springs = np.zeros((n, n, 3, 3))
    for i in range(n):
        for j in range(n):  # equal springs between every pair of unlike ions
            if (i < n // 2) != (j < n // 2):
                springs[i, j] = -np.eye(3)
                springs[i, i] += np.eye(3)
    phonon.force_constants = springs
    charge, coulomb = 2.0, 14.399645  # e; e^2/(4 pi eps_0) in eV Å
    born = np.array([charge * np.eye(3), -charge * np.eye(3)])
    phonon.nac_params = {"born": born, "dielectric": eps, "factor": coulomb}
    phonon.run_qpoints([[0, 0, 0]], nac_q_direction=[1, 0, 0])
    with_field = phonon.qpoints.frequencies[0]
    phonon.run_qpoints([[0, 0, 0]])
    without = phonon.qpoints.frequencies[0]
    mass = 1 / (1 / atoms.get_masses()).sum()
    squared = 4 * np.pi * coulomb * charge**2 / (eps[0, 0] * atoms.get_volume() * mass)
    expected = squared * phonon.unit_conversion_factor**2
    assert with_field[-1] ** 2 - without[-1] ** 2 == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(with_field[3:5], without[3:5], rtol=1e-6)  # transverse ones stay


def test_pymatgens_substrate_analyser_strains_a_film():
    """(C11 + C12) e^2 per volume for a film stretched by e in both directions of (001)."""
    film, substrate = (
        AseAtomsAdaptor.get_structure(bulk(name, structure, a=a, cubic=True))
        for name, structure, a in (("Si", "diamond", 5.43), ("GaP", "zincblende", 5.45))
    )
    match = next(
        SubstrateAnalyzer(max_area=100).calculate(
            film,
            substrate,
            elastic_tensor(SILICON.stiffness),
            film_millers=[(0, 0, 1)],
            substrate_millers=[(0, 0, 1)],
        )
    )
    c = SILICON.stiffness
    expected = (c[0, 0] + c[0, 1]) * (5.45 / 5.43 - 1) ** 2 * 5.43**3 / 8
    assert match.elastic_energy == pytest.approx(expected, rel=0.01)  # eV/atom
