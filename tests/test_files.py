"""Atoms with the calculator attached can be written, and what survives is what ASE can keep."""

import warnings

import ase.db
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import Trajectory, read, write
from crystals import CRYSTALS

from ase_eqtensor import PROPERTIES, EqTensorCalculator


@pytest.fixture
def atoms(model):
    atoms = CRYSTALS["quartz"].copy()
    atoms.calc = EqTensorCalculator(model)
    for name in PROPERTIES:
        atoms.get_property(name)
    return atoms


@pytest.mark.parametrize("suffix", ["traj", "json", "extxyz"])
def test_dielectric_tensor_survives_and_elasticity_is_kept_out(atoms, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write(path, atoms)
    again = read(path)
    np.testing.assert_allclose(again.positions, atoms.positions, atol=1e-7)
    kept = again.calc.results
    np.testing.assert_allclose(
        kept["dielectric_tensor"], atoms.get_property("dielectric_tensor"), atol=1e-7
    )
    assert "elasticity_tensor" not in kept


@pytest.mark.parametrize("suffix", ["traj", "extxyz"])
def test_stiffness_in_info_survives_under_a_key_with_its_unit(atoms, tmp_path, suffix):
    stiffness = atoms.get_property("elasticity_tensor")
    atoms.info["elasticity_tensor_ev_per_ang3"] = stiffness
    write(tmp_path / f"a.{suffix}", atoms)
    again = read(tmp_path / f"a.{suffix}")
    np.testing.assert_allclose(again.info["elasticity_tensor_ev_per_ang3"], stiffness, atol=1e-7)


def test_database_keeps_identity_and_selects_on_numbers(atoms, model, tmp_path):
    stiffness = atoms.get_property("elasticity_tensor")
    with ase.db.connect(tmp_path / "a.db") as db:
        db.write(atoms, k_gpa=100.0, data={"elasticity_tensor": stiffness})
        row = db.get("k_gpa>50")
    assert row.calculator == "eqtensor"
    assert row.calculator_parameters["sha256"] == model.sha256
    np.testing.assert_array_equal(row.data["elasticity_tensor"], stiffness)


def test_trajectory_written_step_by_step(atoms, tmp_path):
    with Trajectory(tmp_path / "a.traj", "w", atoms) as trajectory:
        for _ in range(2):
            atoms.set_cell(atoms.cell * 1.01, scale_atoms=True)
            atoms.get_property("dielectric_tensor")
            trajectory.write()
    first, second = read(tmp_path / "a.traj", ":")
    assert not np.allclose(
        first.calc.results["dielectric_tensor"], second.calc.results["dielectric_tensor"]
    )


def test_one_frozen_calculator_per_image_for_several_crystals(model, tmp_path):
    """A shared calculator holds the results of one crystal only; freezing them keeps all."""
    calc = EqTensorCalculator(model)
    images, expected = [], []
    for name in ("quartz", "rutile"):
        image = CRYSTALS[name].copy()
        entry = calc.predict([image])[0]
        image.calc = SinglePointCalculator(image, dielectric_tensor=entry["dielectric_tensor"])
        images.append(image)
        expected.append(entry["dielectric_tensor"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        write(tmp_path / "a.extxyz", images)
    for image, value in zip(read(tmp_path / "a.extxyz", ":"), expected, strict=True):
        np.testing.assert_allclose(image.calc.results["dielectric_tensor"], value, atol=1e-7)
