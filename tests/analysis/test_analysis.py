"""Scalars and frames by pymatgen: units, invariance, unstable crystals."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from ase.build import bulk
from crystals import CRYSTALS
from equivariance import MOVES, turned
from pymatgen.core.elasticity import ElasticTensor
from pymatgen.io.ase import AseAtomsAdaptor

from ase_eqtensor import EqTensorCalculator, Interval
from ase_eqtensor.analysis import (
    Electromechanical,
    elastic_summary,
    elastic_tensor,
    greatest_d,
    refractive_indices,
    sound_waves,
    to_ieee,
)
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.tensors.directional import longitudinal_piezoelectric
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, project_stiffness, rotate_stiffness, voigt_to_mandel

SILICON = bulk("Si")
STIFFNESS = np.diag([101.0] * 3 + [79.0] * 3) * GPA  # C11 165, C12 64, C44 79 GPa
STIFFNESS[:3, :3] += 64 * GPA


@pytest.mark.parametrize("crystal", ["quartz", "rutile", "triclinic"])
def test_scalars_are_those_of_pymatgen(crystal):
    atoms, a = CRYSTALS[crystal], np.random.default_rng(5).normal(size=(6, 6))
    stiffness = (a @ a.T + 6 * np.eye(6)) * GPA
    theirs, ours = elastic_tensor(stiffness), elastic_summary(stiffness, atoms)
    assert isinstance(theirs, ElasticTensor)
    np.testing.assert_allclose(theirs.voigt, stiffness / GPA)
    structure = AseAtomsAdaptor.get_structure(atoms)
    expected = {
        "k_vrh_gpa": theirs.k_vrh,
        "g_vrh_gpa": theirs.g_vrh,
        "young_gpa": theirs.y_mod / 1e9,
        "poisson": theirs.homogeneous_poisson,
        "anisotropy": theirs.universal_anisotropy,
        "debye_k": theirs.debye_temperature(structure),
        "k_voigt_gpa": theirs.k_voigt,
        "g_reuss_gpa": theirs.g_reuss,
    }
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, rel=1e-4), name


def test_summary_of_silicon():
    found = elastic_summary(STIFFNESS, SILICON)
    assert found["k_vrh_gpa"] == pytest.approx((165 + 2 * 64) / 3)
    k, g = hill_average(voigt_to_mandel(torch.from_numpy(STIFFNESS)))
    assert found["k_vrh_gpa"] == pytest.approx(float(k) / GPA)
    assert found["g_vrh_gpa"] == pytest.approx(float(g) / GPA)
    k, g = found["k_vrh_gpa"], found["g_vrh_gpa"]
    assert found["young_gpa"] == pytest.approx(9 * k * g / (3 * k + g))  # 160 GPa, not Pa
    assert found["poisson"] == pytest.approx((3 * k - 2 * g) / (6 * k + 2 * g))
    assert found["debye_k"] == pytest.approx(645, rel=0.03)  # experiment, C. Kittel
    assert found["least_eigenvalue_gpa"] == pytest.approx(101)
    assert found["anisotropy"] > 0


def test_summary_does_not_depend_on_the_frame():
    q = MOVES["rotation"]
    expected = elastic_summary(STIFFNESS, SILICON)
    assert elastic_summary(rotate_stiffness(STIFFNESS, q), turned(SILICON, q)) == pytest.approx(
        expected, nan_ok=True
    )


def test_models_of_silicon():
    """Zener 1.56, Pugh 1.5; sound 9.0 and 5.4 km/s; hardness 12 (C. Kittel; X.-Q. Chen et al.);
    least conductivity about 1 W/mK (D. G. Cahill)."""
    found = elastic_summary(STIFFNESS, SILICON)
    assert found["zener"] == pytest.approx(2 * 79 / 101)
    assert found["cauchy_pressure_gpa"] == pytest.approx(64 - 79)
    assert found["pugh"] == pytest.approx(1.48, abs=0.03)
    assert found["longitudinal_km_per_s"] == pytest.approx(8.95, abs=0.1)
    assert found["transverse_km_per_s"] == pytest.approx(5.35, abs=0.1)
    assert found["hardness_gpa"] == pytest.approx(12, abs=1.5)
    assert 0.8 < found["clarke_w_per_mk"] < 1.5 and 0.8 < found["cahill_w_per_mk"] < 1.5
    hexagonal = elastic_summary(STIFFNESS, bulk("Mg"))
    assert np.isnan(hexagonal["zener"]) and np.isfinite(hexagonal["pugh"])
    soft = elastic_summary(STIFFNESS / 30, SILICON)
    assert np.isnan(soft["hardness_gpa"])


def test_sound_in_a_crystal_of_known_density():
    found = sound_waves(STIFFNESS, SILICON, [[1, 0, 0], [1, 1, 1]])
    density = SILICON.get_masses().sum() / SILICON.get_volume() * 1.66053907e3  # kg/m^3
    np.testing.assert_allclose(found.phase[0, 2], np.sqrt(165e9 / density) / 1e3)
    assert found.power_flow[:, 2].max() < 1e-3  # both are axes of symmetry
    assert found.power_flow[1, 0] > 10  # internal conical refraction along the threefold one


def test_unstable_crystal_has_no_debye_temperature():
    unstable = STIFFNESS - 90 * GPA * np.diag([0, 0, 0, 1, 1, 1])
    found = elastic_summary(unstable, SILICON)
    assert found["least_eigenvalue_gpa"] == pytest.approx(-22)  # twice 79 - 90
    assert np.isnan(found["debye_k"]) and np.isnan(found["hardness_gpa"])


def test_refractive_indices():
    q = MOVES["rotation"]
    np.testing.assert_allclose(refractive_indices(q @ np.diag([4.0, 9.0, 6.25]) @ q.T), [2, 2.5, 3])


@pytest.mark.parametrize("name", ["quartz", "rutile", "monoclinic"])
def test_ieee_axes_do_not_depend_on_the_frame(name):
    atoms, rng = CRYSTALS[name], np.random.default_rng(2)
    a = rng.normal(size=(6, 6))
    stiffness = project_stiffness(a @ a.T + 6 * np.eye(6), analyse(atoms).rotations)
    q = MOVES["rotation"]
    expected = to_ieee(stiffness, atoms)
    again = to_ieee(rotate_stiffness(stiffness, q), turned(atoms, q))
    np.testing.assert_allclose(again, expected, atol=1e-3 * abs(expected).max())
    same = elastic_summary(expected, atoms)
    assert same["k_vrh_gpa"] == pytest.approx(elastic_summary(stiffness, atoms)["k_vrh_gpa"])


def test_prediction_starts_without_pymatgen():
    code = (
        "import sys, ase_eqtensor.analysis, ase_eqtensor.commands, ase_eqtensor.reporting\n"
        "assert not {'pymatgen', 'plotly', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_small_pymatgen_is_needed(monkeypatch):
    """The base install has pymatgen-core, which lacks pymatgen.analysis.elasticity."""
    monkeypatch.setitem(sys.modules, "pymatgen.analysis.elasticity", None)
    assert elastic_tensor(np.eye(6)).voigt.shape == (6, 6)


def test_d_has_the_bounds_of_e_and_of_the_compliance():
    calculator = EqTensorCalculator()
    zinc, salt = calculator.predict(
        [bulk("ZnO", "wurtzite", a=3.25, c=5.2), bulk("NaCl", "rocksalt", a=5.69)]
    )
    found = greatest_d(zinc)
    whole = Electromechanical(
        zinc["elasticity_tensor"], zinc["piezoelectric_tensor"], zinc["dielectric_tensor"]
    )
    directions = np.random.default_rng(0).normal(size=(4000, 3))
    along = longitudinal_piezoelectric(whole.d / [1, 1, 1, 2, 2, 2], directions)
    np.testing.assert_allclose(found.value, 100 * np.abs(along).max(), rtol=0.01)
    for level in (0.5, 0.9):
        low, high = found.bounds[level]
        of_e = zinc.uncertainty["piezoelectric_tensor"].scalars["e_longitudinal_c_per_m2"]
        ends = np.array(of_e.bounds[level]) / of_e.value
        assert 0 < low < ends[0] * found.value and ends[1] * found.value < high
    assert greatest_d(salt) == Interval(0.0, dict.fromkeys((0.5, 0.9), (0.0, 0.0)))
