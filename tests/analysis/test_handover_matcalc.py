"""Our tensors under MatCalc's keys and units, in its chains, with the real package."""

import subprocess
import sys

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.units import GPa
from crystals import CRYSTALS
from pymatgen.io.ase import AseAtomsAdaptor

from ase_eqtensor import EqTensorCalculator, elastic_tensor
from ase_eqtensor.errors import ElementError, StructureError

matcalc = pytest.importorskip("matcalc")
QUARTZ = CRYSTALS["quartz"]
STRUCTURE = AseAtomsAdaptor.get_structure(bulk("Cu"))
FIT = {"residuals_sum", "r2_score_mean"}  # about a fit that we do not make


@pytest.fixture
def calc(model):
    from ase_eqtensor.matcalc import TensorCalc

    return TensorCalc(EqTensorCalculator(model))


def test_same_keys_units_and_types_as_finite_strain(calc):
    strained = matcalc.ElasticityCalc(EMT(), relax_structure=False, r2_min=-1)
    theirs = strained.calc(STRUCTURE)
    ours = calc.calc(STRUCTURE)
    assert theirs.keys() - FIT <= ours.keys()
    units = {key: unit for key, unit in theirs["_units"].items() if key not in FIT}
    assert units.items() <= ours["_units"].items()
    elastic = ours["elastic_tensor"]
    assert type(elastic) is type(theirs["elastic_tensor"])
    assert ours["structure"] is ours["final_structure"] is STRUCTURE
    k, g = ours["bulk_modulus_vrh"], ours["shear_modulus_vrh"]
    assert (elastic.k_vrh, elastic.g_vrh) == pytest.approx((k, g), rel=1e-6)
    assert ours["youngs_modulus"] == pytest.approx(9 * k * g / (3 * k + g))


def test_values_are_those_of_the_calculator(calc):
    prediction = calc.calculator.predict([QUARTZ])[0]
    ours = calc.calc(QUARTZ)
    expected = prediction.tensors["elasticity_tensor"]
    np.testing.assert_allclose(ours["elastic_tensor"].voigt, expected, rtol=1e-5, atol=1e-8)
    assert ours["bulk_modulus_vrh"] / GPa == pytest.approx(prediction.scalars["k_vrh_gpa"])
    for name in ("dielectric_tensor", "electronic_dielectric_tensor"):
        np.testing.assert_allclose(ours[name], prediction.tensors[name], rtol=1e-5, atol=1e-8)
    low, high = ours["bounds"].get("k_vrh_gpa", (0, np.inf))
    assert low < prediction.scalars["k_vrh_gpa"] < high
    assert ours["flags"] == prediction.flags and ours["refused"] == {}


def test_gpa(calc):
    from ase_eqtensor.matcalc import TensorCalc

    in_gpa = TensorCalc(calc.calculator, units_GPa=True).calc(QUARTZ)
    stiffness = calc.calculator.get_property("elasticity_tensor", QUARTZ)
    assert in_gpa["_units"]["elastic_tensor"] == in_gpa["_units"]["youngs_modulus"] == "GPa"
    expected = elastic_tensor(stiffness)
    np.testing.assert_allclose(in_gpa["elastic_tensor"], expected, rtol=1e-5, atol=1e-6)
    assert in_gpa["bulk_modulus_vrh"] == pytest.approx(expected.k_vrh, rel=1e-5)


def test_shipped_model_has_bounds():
    from ase_eqtensor.matcalc import TensorCalc

    ours = TensorCalc("joint-v8").calc(CRYSTALS["rocksalt"])
    low, high = ours["bounds"]["k_vrh_gpa"]
    assert 50 < low < ours["bulk_modulus_vrh"] / GPa < high < 400
    assert 0 < ours["relative_error_bounds"]["elasticity_tensor"] < 1


def test_chains(calc):
    relax = matcalc.RelaxCalc(EMT())
    chain = matcalc.ChainedCalc([relax, calc])
    result = chain.calc(STRUCTURE)
    assert result["energy"] is not None and result["_units"]["energy"] == "eV"
    alone = calc.calc(result["final_structure"])
    assert result["bulk_modulus_vrh"] == pytest.approx(alone["bulk_modulus_vrh"])
    given = {"structure": STRUCTURE, "mine": 1}
    assert calc.calc(given)["mine"] == 1 and given == {"structure": STRUCTURE, "mine": 1}
    many = list(chain.calc_many([STRUCTURE, STRUCTURE]))
    assert [one["bulk_modulus_vrh"] for one in many] == pytest.approx(
        [result["bulk_modulus_vrh"]] * 2, rel=1e-5
    )


def test_many_in_batches_and_failures(calc, monkeypatch):
    monkeypatch.setattr("ase_eqtensor.matcalc.BATCH", 2)
    crystals = [STRUCTURE, None, QUARTZ, molecule("H2O"), {"no": "structure"}, QUARTZ]
    results = list(calc.calc_many(crystals, allow_errors=True))
    assert [result is not None for result in results] == [True, False, True, False, False, True]
    alone = [calc.calc(crystal)["bulk_modulus_vrh"] for crystal in (STRUCTURE, QUARTZ)]
    found = [results[i]["bulk_modulus_vrh"] for i in (0, 2)]
    assert found == pytest.approx(alone, rel=1e-5)
    with pytest.raises(StructureError, match="structure 3: H2O: periodic along no direction"):
        list(calc.calc_many([QUARTZ, QUARTZ, QUARTZ, molecule("H2O")]))
    with pytest.raises(StructureError, match="structure 0: .*final_structure"):
        list(calc.calc_many([{"no": "structure"}]))
    with pytest.raises(ElementError, match="Cl does not occur"):
        calc.calc(bulk("TcCl", "rocksalt", a=5.0))
    assert list(calc.calc_many([])) == []


def test_what_is_refused_is_told(calc):
    ours = calc.calc(bulk("NaCl", "rocksalt", a=5.6))
    assert "elastic_tensor" not in ours and "bulk_modulus_vrh" not in ours
    assert "Cl does not occur" in ours["refused"]["elasticity_tensor"]
    assert np.shape(ours["dielectric_tensor"]) == (3, 3)


def test_a_potential_is_no_calculator_of_tensors():
    from ase_eqtensor.matcalc import TensorCalc

    with pytest.raises(TypeError, match="matcalc.ElasticityCalc with this potential"):
        TensorCalc(EMT())


def test_without_matcalc_the_extra_is_named():
    script = "import sys; sys.modules['matcalc'] = None\nimport ase_eqtensor.matcalc"
    failed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "pip install 'ase-eqtensor[matcalc]'" in failed.stderr
