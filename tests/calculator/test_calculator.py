"""What ASE users expect of a calculator: names, shapes, units, caching, no side effects."""

import copy
import json
import pickle
import warnings

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.outputs import all_outputs
from ase.units import GPa
from crystals import CRYSTALS
from equivariance import bare, properties, relative

import ase_eqtensor.calculator as calculator_module
from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.errors import ModelError, StructureError
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.quantities import offered
from ase_eqtensor.tensors.notation import mandel_to_voigt

every_crystal = pytest.mark.parametrize("name", CRYSTALS)


@pytest.fixture
def atoms(calc):
    atoms = CRYSTALS["quartz"].copy()
    atoms.calc = calc
    return atoms


@pytest.fixture
def passes(monkeypatch):
    """One entry for every pass through the network."""
    counted, original = [], TensorNetwork.read
    monkeypatch.setattr(
        TensorNetwork,
        "read",
        lambda self, g: counted.append(len(g.size)) or original(self, g),
    )
    return counted


def test_properties_have_their_names_shapes_and_type(atoms, calc):
    assert set(offered()) == {"dielectric_tensor", "electronic_dielectric_tensor",
                               "elasticity_tensor", "compliance_tensor",
                               "piezoelectric_tensor"}  # fmt: skip
    for name, declared in offered().items():
        value = atoms.get_property(name)
        assert type(value) is np.ndarray and value.dtype == np.float64
        shapes = {"dielectric": (3, 3), "piezoelectric": (3, 6)}
        expected = next((shape for kind, shape in shapes.items() if kind in name), (6, 6))
        assert value.shape == declared.shape == expected
        np.testing.assert_array_equal(calc.get_property(name, atoms), value)
        np.testing.assert_array_equal(calc.get_property(name), value)  # of the calculator's atoms
        if value.shape[0] == value.shape[1]:
            np.testing.assert_array_equal(value, value.T)


def test_values_are_those_of_the_network_in_eV_and_angstrom(model):
    """Voigt stiffness without factors in eV/Å^3, compliance with engineering shear."""
    atoms = CRYSTALS["triclinic"]
    calc = EqTensorCalculator(model, dtype="float64", project=False, reduce_cell=False)
    (out,) = bare(copy.deepcopy(model.network).double(), atoms)
    values = properties(calc, atoms)
    expected = mandel_to_voigt(out["elasticity_tensor"])
    np.testing.assert_allclose(values["elasticity_tensor"], expected, rtol=1e-12, atol=1e-14)
    assert 1 < expected[0, 0] / GPa < 1000
    np.testing.assert_allclose(
        values["dielectric_tensor"], out["dielectric_tensor"], rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(
        values["electronic_dielectric_tensor"],
        out["electronic_dielectric_tensor"],
        rtol=1e-12,
        atol=1e-14,
    )


@every_crystal
def test_compliance_is_the_inverse_of_the_stiffness(calc, name):
    values = properties(calc, CRYSTALS[name])
    product = values["compliance_tensor"] @ values["elasticity_tensor"]
    np.testing.assert_allclose(product, np.eye(6), atol=1e-10)
    eps = np.linalg.eigvalsh(values["electronic_dielectric_tensor"])[0]
    assert eps > 1
    ionic = values["dielectric_tensor"] - values["electronic_dielectric_tensor"]
    least = np.linalg.eigvalsh(ionic)[0]
    assert least == 0 if name == "silicon" else least > 0


def test_one_pass_fills_all_and_is_cached(atoms, calc, passes):
    first = properties(calc, atoms)
    assert passes == [1]
    assert calc.calculation_required(atoms, list(offered())) is False
    atoms.set_initial_charges(np.ones(len(atoms)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms.set_initial_magnetic_moments(np.ones(len(atoms)))
        for name, value in properties(calc, atoms).items():
            np.testing.assert_array_equal(value, first[name])
    assert passes == [1]


CHANGES = {
    "positions": lambda a: a.positions.__setitem__(0, a.positions[0] + 0.01),
    "cell": lambda a: a.set_cell(a.cell * 1.01),
    "numbers": lambda a: a.numbers.__setitem__(0, 32),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_the_crystal_invalidate_the_cache(atoms, calc, passes, change):
    before = atoms.get_property("elasticity_tensor")
    CHANGES[change](atoms)
    assert calc.calculation_required(atoms, ["elasticity_tensor"])
    assert calc.get_property("elasticity_tensor", atoms, allow_calculation=False) is None
    after = atoms.get_property("elasticity_tensor")
    assert passes == [1, 1]
    assert relative(after, before) > 1e-6
    np.testing.assert_array_equal(
        after, properties(EqTensorCalculator(calc.model), atoms)["elasticity_tensor"]
    )


def test_periodicity_is_checked_after_a_result_was_cached(atoms):
    atoms.get_property("elasticity_tensor")
    atoms.pbc = (True, True, False)
    with pytest.raises(StructureError, match="periodic"):
        atoms.get_property("elasticity_tensor")
    atoms.pbc = True
    atoms.get_property("elasticity_tensor")


def test_a_failed_calculation_leaves_no_results(atoms, calc):
    atoms.get_property("elasticity_tensor")
    atoms.positions[1] = atoms.positions[0]
    for _ in range(2):
        with pytest.raises(StructureError):
            atoms.get_property("elasticity_tensor")
        assert calc.results == {} and calc.prediction is None


def test_changing_a_returned_array_does_not_change_the_cache(atoms, calc):
    for name in offered():
        atoms.get_property(name)[:] = np.nan
        calc.predict([atoms])[0][name][:] = np.nan
        calc.prediction[name][:] = np.nan
        assert np.isfinite(atoms.get_property(name)).all()


def test_get_properties_of_ase(atoms, calc):
    value = atoms.get_property("dielectric_tensor")
    exported = atoms.get_properties(["dielectric_tensor"])
    np.testing.assert_array_equal(exported["dielectric_tensor"], value)
    with pytest.raises(ValueError, match="elasticity_tensor"):
        atoms.get_properties(["elasticity_tensor"])
    assert set(calc.results) == set(offered())
    assert set(calc.export_properties()) == {"dielectric_tensor"} <= set(all_outputs)


def test_unknown_properties(atoms, calc):
    with pytest.raises(PropertyNotImplementedError, match="energy"):
        atoms.get_potential_energy()
    with pytest.raises(PropertyNotImplementedError, match="elastic_tensor"):
        atoms.get_property("elastic_tensor")
    assert not calc.results


def test_implemented_properties_are_those_of_the_model(calc):
    """The class lists all that there are; changing the list of a calculator changes no other."""
    assert "implemented_properties" in vars(EqTensorCalculator)
    assert calc.implemented_properties == list(calc.model.quantities) == list(offered())
    calc.implemented_properties.append("mine")
    assert EqTensorCalculator.implemented_properties == list(offered())
    assert EqTensorCalculator.implemented_properties is not Calculator.implemented_properties
    assert Calculator.ignored_changes == set()


def test_get_property_without_a_calculator():
    with pytest.raises(RuntimeError, match="SiO2|O6Si3.*calculator"):
        CRYSTALS["quartz"].copy().get_property("dielectric_tensor")


def test_get_property_passes_through_to_any_calculator():
    copper = bulk("Cu")
    copper.calc = EMT()
    assert copper.get_property("energy") == copper.get_potential_energy()


def test_a_method_of_ases_own_is_kept(monkeypatch):
    monkeypatch.setattr(Atoms, "get_property", lambda self, name: "ASE's own")
    calculator_module.add_get_property()
    assert bulk("Cu").get_property("energy") == "ASE's own"
    monkeypatch.delattr(Atoms, "get_property")
    calculator_module.add_get_property()
    assert Atoms.get_property is calculator_module.get_property


@every_crystal
def test_atoms_are_left_alone(calc, name):
    atoms = CRYSTALS[name].copy()
    atoms.positions += 9.0  # outside the cell
    atoms.info["note"] = "mine"
    before = atoms.copy()
    properties(calc, atoms)
    calc.predict([atoms])
    assert atoms == before and atoms.info == before.info
    assert atoms.arrays.keys() == before.arrays.keys()
    assert atoms.calc is None


def test_precision(model):
    atoms = CRYSTALS["quartz"]
    single, double = (EqTensorCalculator(model, dtype=d) for d in ("float32", "float64"))
    a, b = properties(single, atoms), properties(double, atoms)
    assert 0 < relative(a["elasticity_tensor"], b["elasticity_tensor"]) < 1e-4
    assert next(double.model.network.parameters()).dtype == torch.float64
    assert next(model.network.parameters()).dtype == torch.float32  # the user's object is kept
    with pytest.raises(ValueError, match="float16"):
        EqTensorCalculator(model, dtype="float16")


def test_device(model):
    calc = EqTensorCalculator(model, device="cpu")
    assert {p.device.type for p in calc.model.network.parameters()} == {"cpu"}
    if torch.cuda.is_available():
        atoms = CRYSTALS["quartz"]
        there = EqTensorCalculator(model, device="cuda")
        assert {p.device.type for p in there.model.network.parameters()} == {"cuda"}
        for key, value in properties(there, atoms).items():
            assert relative(value, calc.get_property(key, atoms)) < 1e-4


def test_models_by_path_and_by_object(weights, model):
    atoms = CRYSTALS["quartz"]
    a = EqTensorCalculator(weights).get_property("elasticity_tensor", atoms)
    b = EqTensorCalculator(str(weights)).get_property("elasticity_tensor", atoms)
    c = EqTensorCalculator(model).get_property("elasticity_tensor", atoms)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    with pytest.raises(ModelError):
        EqTensorCalculator("no-such-model")


def test_identity_is_jsonable(calc, model):
    identity = json.loads(json.dumps(calc.todict()))
    assert identity["model"] == "tiny" and identity["sha256"] == model.sha256
    assert identity["dtype"] == "float32" and identity["project"] is True
    assert calc.name == "eqtensor"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_of_a_used_calculator(atoms, calc, duplicate):
    value = atoms.get_property("elasticity_tensor")
    other = duplicate(calc)
    np.testing.assert_array_equal(other.get_property("elasticity_tensor", atoms), value)
    other.results["elasticity_tensor"][:] = 0
    np.testing.assert_array_equal(calc.get_property("elasticity_tensor", atoms), value)


def test_torch_is_left_alone(weights):
    state, threads = torch.get_rng_state().clone(), torch.get_num_threads()
    calc = EqTensorCalculator(weights)
    calc.get_property("elasticity_tensor", CRYSTALS["quartz"])
    calc.predict(list(CRYSTALS.values()))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_default_dtype_plays_no_role(weights):
    atoms = CRYSTALS["quartz"]
    expected = properties(EqTensorCalculator(weights), atoms)
    torch.set_default_dtype(torch.float64)
    for key, value in properties(EqTensorCalculator(weights), atoms).items():
        np.testing.assert_allclose(value, expected[key], rtol=1e-12, atol=1e-12)
