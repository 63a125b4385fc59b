"""Atoms with the calculator attached can be written, and what survives is what ASE can keep."""

import json

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import Trajectory, read, write
from ase.units import GPa
from crystals import CRYSTALS
from pymatgen.core.elasticity import ElasticTensor

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.errors import DataError, OutputExistsError, StructureError
from ase_eqtensor.files import freeze, load, save, searchable, tensors
from ase_eqtensor.quantities import offered


@pytest.fixture
def atoms(model):
    atoms = CRYSTALS["quartz"].copy()
    atoms.calc = EqTensorCalculator(model)
    for name in offered():
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


FORMATS = ["a.extxyz", "a.traj", "a.db", "a.json"]


@pytest.fixture
def pair(model):
    """Two crystals that share one calculator."""
    calc = EqTensorCalculator(model)
    images = [CRYSTALS[name].copy() for name in ("quartz", "rutile")]
    for image in images:
        image.calc = calc
        image.get_property("dielectric_tensor")
    return images


@pytest.mark.parametrize("name", FORMATS)
def test_all_tensors_survive_also_of_crystals_that_share_a_calculator(pair, model, tmp_path, name):
    save(tmp_path / name, [freeze(image) for image in pair])
    for image, again in zip(pair, load(tmp_path / name), strict=True):
        expected = EqTensorCalculator(model).predict([image])[0]
        np.testing.assert_allclose(again.positions, image.positions, atol=1e-7)
        found = tensors(again)
        assert list(found) == list(offered())
        for key, value in found.items():
            np.testing.assert_allclose(value, expected[key], rtol=1e-6, atol=1e-7, err_msg=key)
        assert again.info["eqtensor"] == json.loads(json.dumps(expected.record()))


@pytest.mark.parametrize("name", FORMATS)
def test_what_the_user_had_stays(pair, tmp_path, name):
    image = pair[0].copy()
    image.info["note"] = "measured at 4 K"
    image.calc = SinglePointCalculator(image, energy=-1.5, forces=np.ones((len(image), 3)))
    prediction = pair[0].calc.predict([image])[0]
    save(tmp_path / name, [freeze(image, prediction)])
    (again,) = load(tmp_path / name)
    assert again.info["note"] == "measured at 4 K"
    assert again.get_potential_energy() == pytest.approx(-1.5)
    np.testing.assert_allclose(again.get_forces(), 1.0)
    assert "elasticity_tensor" in tensors(again)


def test_results_that_ase_has_no_name_for_are_kept_in_info(pair, model):
    atoms = pair[0].copy()
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0)
    atoms.calc.results |= {"band_gap": 4.5, "eqtensor": "mine"}
    (prediction,) = EqTensorCalculator(model).predict([atoms])
    frozen = freeze(atoms, prediction)
    assert frozen.info["band_gap"] == 4.5 and frozen.info["given_eqtensor"] == "mine"
    assert frozen.calc.results["energy"] == -3.0 and "band_gap" not in atoms.info


def test_stale_results_of_another_calculator_are_left_behind(pair):
    image = pair[0].copy()
    image.calc = SinglePointCalculator(image, energy=-1.5)
    image.rattle(0.1)
    frozen = freeze(image, pair[0].calc.predict([image])[0])
    assert set(frozen.calc.results) == {"dielectric_tensor"}


def test_databases_select_on_scalars_that_pymatgen_confirms(pair, tmp_path):
    save(tmp_path / "a.db", [freeze(image, source=f"{i}.cif") for i, image in enumerate(pair)])
    with ase.db.connect(tmp_path / "a.db") as db:
        assert db.count("k_vrh_gpa>0,g_vrh_gpa>0,eps_total>1,eps_inf>1,anisotropy>=0") == 2
        row = db.get("source=1.cif")
    elastic = ElasticTensor.from_voigt(pair[1].get_property("elasticity_tensor") / GPa)
    assert row.k_vrh_gpa == pytest.approx(elastic.k_vrh)
    assert row.g_vrh_gpa == pytest.approx(elastic.g_vrh)
    assert row.anisotropy == pytest.approx(elastic.universal_anisotropy, abs=1e-6)
    eps = pair[1].get_property("dielectric_tensor")
    assert row.eps_total == pytest.approx(np.trace(eps) / 3)


def test_flags_and_error_bounds_are_keys():
    metal = bulk("Al", cubic=True)
    prediction = EqTensorCalculator("joint-v8").predict([metal])[0]
    found = searchable(freeze(metal, prediction))
    assert found["likely_metal"] is True
    bound = prediction.uncertainty["elasticity_tensor"].relative_error[0.9]
    assert found["elasticity_error_90"] == bound


def test_keys_of_the_user_are_kept_beside_ours(pair, tmp_path):
    image = freeze(pair[0])
    image.info["key_value_pairs"] = {"mp_id": "mp-1", "k_vrh_gpa": 1.0}
    save(tmp_path / "a.db", [image])
    with ase.db.connect(tmp_path / "a.db") as db:
        row = db.get("mp_id=mp-1")
    assert row.given_k_vrh_gpa == 1.0 and row.k_vrh_gpa == searchable(image)["k_vrh_gpa"]


def test_existing_files_are_not_replaced_unasked(pair, tmp_path):
    path = tmp_path / "a.extxyz"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="a.extxyz"):
        save(path, [freeze(pair[0])])
    assert path.read_text() == "mine"
    save(path, [freeze(pair[0])], overwrite=True)
    assert len(load(path)) == 1


def test_unusable_names_and_info_are_errors(pair, tmp_path):
    with pytest.raises(DataError, match="cif"):
        save(tmp_path / "a.cif", [freeze(pair[0])])
    with pytest.raises(DataError, match="no file"):
        load(tmp_path / "missing.db")
    image = freeze(pair[0])
    image.info["odd"] = object()
    with pytest.raises(DataError, match="odd"):
        save(tmp_path / "a.db", [image])
    assert not (tmp_path / "a.db").exists()


def test_freezing_needs_a_prediction(pair):
    with pytest.raises(TypeError, match="attach"):
        freeze(pair[0].copy())
    gas = Atoms("H", positions=[(0, 0, 0)])
    with pytest.raises(StructureError):
        freeze(gas, pair[0].calc.predictor.predict([gas])[0])


@pytest.mark.parametrize(
    "value",
    ["", "two\nlines", "1", "T", "back\\slash", "end\\", 'quo"te', "a=b c", "_JSON x", "\t", "ü",
     ["a\"b", "c\\d", ""], {"a b": {"c": "\\"}}, []],
)  # fmt: skip
def test_any_text_beside_a_crystal_survives_extended_xyz(calc, tmp_path, value):
    atoms = bulk("MgO", "rocksalt", a=4.2)
    atoms.info |= {"mine": value, "next": "here"}
    atoms.calc = calc
    frozen = freeze(atoms)
    save(tmp_path / "a.extxyz", [frozen])
    assert frozen.info["mine"] == value
    (image,) = load(tmp_path / "a.extxyz")
    kept = image.info["mine"]
    assert (kept.tolist() if isinstance(kept, np.ndarray) else kept) == value
    assert image.info["next"] == "here"
    assert tensors(image).keys() == tensors(frozen).keys()
