"""A potential beside the network: what it changes, what it may not, and what is told of it."""

import json
import warnings

import numpy as np
import pytest
from ase.build import bulk, fcc111, make_supercell
from ase.calculators.emt import EMT
from equivariance import orthogonal
from partners import IONS, card, mixture, written
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.commands import app
from ase_eqtensor.errors import ModelError, SettingError
from ase_eqtensor.models.mixture import STIFFNESS_POWER, log_moduli, under_pressure
from ase_eqtensor.models.partner_card import read_partner, write_partner
from ase_eqtensor.models.store import load_model
from ase_eqtensor.potential.calculators import reference
from ase_eqtensor.prediction.partner import Partner
from ase_eqtensor.quantities import QUANTITIES
from ase_eqtensor.tensors.notation import GPA, rotate_rank2, rotate_stiffness, voigt_to_mandel

C, EPS = "elasticity_tensor", "dielectric_tensor"
CU3AU = bulk("Cu", cubic=True, a=3.78)
CU3AU.symbols[0] = "Au"
MGO = bulk("MgO", "rocksalt", a=4.25)


@pytest.fixture(scope="module")
def metals(tmp_path_factory):
    """A calculator with the potential of metals as partner."""
    return EqTensorCalculator(partner=written(tmp_path_factory.mktemp("emt")))


@pytest.fixture(scope="module")
def ions(tmp_path_factory):
    """One with the potential of ions."""
    return EqTensorCalculator(partner=written(tmp_path_factory.mktemp("ions"), calculator=IONS))


@pytest.fixture(scope="module")
def calc():
    """The network alone."""
    return EqTensorCalculator()


def predicted(calculator, atoms):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return calculator.predictor.predict_one(atoms)


def test_half_of_each(metals, calc):
    found = predicted(metals, CU3AU)
    network, opinion = found.consulted.network[C], found.consulted.opinion
    pressure = under_pressure(STIFFNESS_POWER, opinion.volume_ratio)
    potential = pressure * opinion.stiffness_gpa * GPA
    assert network == pytest.approx(predicted(calc, CU3AU).tensors[C], rel=1e-6, abs=1e-8)
    moduli = [log_moduli(voigt_to_mandel(x)[None])[0] for x in (network, potential)]
    mixed = log_moduli(voigt_to_mandel(found.tensors[C])[None])[0]
    assert mixed == pytest.approx(np.mean(moduli, axis=0), abs=1e-6)
    assert np.linalg.inv(found.tensors["compliance_tensor"]) == pytest.approx(found.tensors[C])
    assert found.scalars["k_vrh_gpa"] == pytest.approx(np.exp(mixed[0]) / GPA)


def test_ionic_part(ions, calc):
    found, alone = predicted(ions, MGO), predicted(calc, MGO)
    electronic = "electronic_dielectric_tensor"
    assert found.tensors[electronic] == pytest.approx(alone.tensors[electronic])
    assert abs(found.tensors[EPS] - alone.tensors[EPS]).max() > 0.1
    assert found.scalars["eps_total"] == pytest.approx(np.trace(found.tensors[EPS]) / 3)
    assert found.consulted.opinion.force_constants.shape == (6, 6)


@pytest.mark.parametrize("proper", [True, False])
def test_turns_with_the_crystal(ions, proper):
    turn, atoms = orthogonal(2, proper), MGO.copy()
    atoms.set_cell(atoms.cell[:] @ turn.T, scale_atoms=True)
    before, after = predicted(ions, MGO), predicted(ions, atoms)
    expected = rotate_stiffness(before.tensors[C], turn)
    assert after.tensors[C] == pytest.approx(expected, abs=1e-3 * abs(expected).max())
    expected = rotate_rank2(before.tensors[EPS], turn)
    assert after.tensors[EPS] == pytest.approx(expected, abs=1e-3 * abs(expected).max())


def test_supercells_and_batches_change_nothing(metals):
    doubled = make_supercell(CU3AU, np.diag([2, 1, 1]))
    one = predicted(metals, CU3AU).tensors[C]
    assert predicted(metals, doubled).tensors[C] == pytest.approx(one, rel=1e-4, abs=1e-6)
    many = metals.predict([bulk("Ag"), CU3AU, MGO, bulk("Cu", "bcc", a=2.87)])
    assert many[1].tensors[C] == pytest.approx(one, rel=1e-6, abs=1e-8)


def test_who_cannot_be_asked_is_the_networks_alone(metals, calc):
    """The potential does not know magnesium. Nothing else is lost."""
    found, alone = predicted(metals, MGO), predicted(calc, MGO)
    for name, tensor in alone.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor)
    assert found.uncertainty == alone.uncertainty and found.flags == (*alone.flags, "network_alone")
    (warning,) = found.warnings[len(alone.warnings) :]
    assert "MgO" in str(warning) and "NotImplementedError" in str(warning)
    assert set(warning.properties) == {C, "compliance_tensor", EPS}
    record = json.loads(json.dumps(found.record()))["partner"]
    assert "NotImplementedError" in record["network_alone"][C] and "converged" not in record


def test_another_crystal_after_relaxation(metals):
    found = predicted(metals, bulk("Cu", a=4.2))
    assert "network_alone" in found.flags
    assert found.tensors[C] == pytest.approx(found.consulted.network[C])


def test_slabs_are_not_relaxed(metals, calc):
    slab = fcc111("Cu", (1, 1, 4), vacuum=8, periodic=True)
    found = predicted(metals, slab)
    assert {"vacuum", "network_alone"} <= set(found.flags)
    assert found.tensors[C] == pytest.approx(predicted(calc, slab).tensors[C])


def test_an_unstable_crystal_is_called_so(metals):
    found = predicted(metals, bulk("Cu", "bcc", a=2.87))
    assert "possibly_unstable" in found.flags
    assert "unstable under strain" in found.record()["partner"]["instability"]
    assert np.linalg.eigvalsh(found.tensors[C])[0] > 0


def test_pressure_carries_the_potential_along(metals):
    """Compressed by 8 %, a crystal that relaxes stays as stiff as it is given."""
    relaxed = predicted(metals, bulk("Cu", a=3.59)).scalars["k_vrh_gpa"]
    compressed = predicted(metals, bulk("Cu", a=3.59 * 0.92 ** (1 / 3))).scalars["k_vrh_gpa"]
    assert 2.5 < -np.log(compressed / relaxed) / np.log(0.92) < 6


def test_record(ions):
    record = json.loads(json.dumps(predicted(ions, MGO).record()))["partner"]
    assert record["calculator"] == IONS and record["converged"]
    assert set(record["network"]) == set(ions.implemented_properties)
    assert record["relaxed_volume_ratio"] == pytest.approx(1, abs=0.1)
    assert record["softest_mode_ev_ang2"] > 0 and record["instability"] == ""


def test_errors_are_those_of_the_card(tmp_path, calc):
    model = load_model()
    wider = {C: model.card.uncertainty[C]}
    for scale in wider[C].scales.values():
        scale.coefficients["constant"] += 1.0
    calculator = EqTensorCalculator(partner=written(tmp_path, uncertainty=wider))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, other = calculator.predict([CU3AU, MGO])
    bounds = [one.uncertainty[C].relative_error[0.9] for one in (found, predicted(calc, CU3AU))]
    assert bounds[0] > 2 * bounds[1]
    expected = predicted(calc, MGO).uncertainty[C]
    assert other.uncertainty[C].relative_error == pytest.approx(expected.relative_error, rel=1e-4)


def test_it_is_part_of_the_identity(metals, calc):
    identity = metals.todict()["partner"]
    assert identity["calculator"] == metals.partner.name and len(identity["card"]) == 16
    assert "partner" not in calc.todict()
    assert metals.parameters["partner"] == metals.partner.name


def test_it_can_be_changed(tmp_path):
    calculator = EqTensorCalculator()
    alone = calculator.get_property(C, CU3AU)
    assert calculator.set(partner=written(tmp_path)) and calculator.partner is not None
    assert abs(calculator.get_property(C, CU3AU) - alone).max() > 1e-3
    calculator.symprec = 0.02  # which keeps the partner
    assert calculator.partner is not None
    calculator.partner = None
    assert calculator.get_property(C, CU3AU) == pytest.approx(alone)


def test_unknown_partners_are_refused(tmp_path, weights):
    with pytest.raises(SettingError, match="'7net-x'.*'7net-l3i5'.*calibrate-partner"):
        EqTensorCalculator(partner="7net-x")
    with pytest.raises(SettingError, match="EMT.*calibrate-partner"):
        EqTensorCalculator(partner=EMT())
    with pytest.raises(SettingError, match="other weights.*joint-v8"):
        EqTensorCalculator(str(weights), partner=written(tmp_path))
    with pytest.raises(SettingError, match="measured.*choose one"):
        EqTensorCalculator(partner=written(tmp_path), level="measured")
    with pytest.raises(SettingError, match="never calibrated"):
        (tmp_path / "tiny").mkdir()
        EqTensorCalculator(
            str(weights), partner=written(tmp_path / "tiny", model=load_model(weights))
        )
    (tmp_path / "bad.json").write_text('{"model": 1}')
    with pytest.raises(ModelError, match="bad.json.*damaged"):
        EqTensorCalculator(partner=tmp_path / "bad.json")
    (tmp_path / "new.json").write_text(
        json.dumps({**json.loads((tmp_path / "partner.json").read_text()), "format": 99})
    )
    with pytest.raises(ModelError, match="format 99"):
        EqTensorCalculator(partner=tmp_path / "new.json")


def test_a_calculator_is_recognised_by_what_it_says(monkeypatch, tmp_path):
    """Of silicon, which the potential of ions does not know, nor that of metals."""
    assert reference(EMT()) is None

    class Flat(EMT):
        def calculate(self, *args):
            self.results = {"energy": -10.8, "free_energy": -10.8}

    path = tmp_path / "flat.json"
    write_partner(card(reference_ev=-10.8), path)
    model = load_model()
    monkeypatch.setattr(type(model), "partners", {"flat": path})
    assert Partner.of(Flat(), model).name == "ase.calculators.emt:EMT"
    write_partner(card(reference_ev=-10.7), path)
    with pytest.raises(SettingError, match="Flat"):
        Partner.of(Flat(), model)


def test_card_comes_back_as_it_was(tmp_path):
    path = tmp_path / "partner.json"
    one = card(stiffness=mixture(0.1, 0.2, 0.3))
    write_partner(one, path)
    assert read_partner(path) == one


def test_command(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    CU3AU.write(tmp_path / "Cu3Au.extxyz")
    partner = written(tmp_path)
    arguments = ["predict", str(tmp_path / "Cu3Au.extxyz"), "--json"]
    runner = CliRunner()
    (found,) = json.loads(runner.invoke(app, [*arguments, "--partner", partner]).stdout)
    (alone,) = json.loads(runner.invoke(app, arguments).stdout)
    key = QUANTITIES[C].key
    assert found["tensors"][key] != alone["tensors"][key] and "partner" not in alone
    network = found["partner"]["network"][C]
    np.testing.assert_allclose(network, alone["tensors"][key], rtol=1e-5, atol=1e-6)


def test_a_soft_polar_mode_is_told(tmp_path, monkeypatch):
    """The ions attract each other too little to be held where they are."""
    monkeypatch.setattr("ase_eqtensor.models.partnership.FLOOR", 1e3)
    found = predicted(EqTensorCalculator(partner=written(tmp_path, calculator=IONS)), MGO)
    assert {"network_alone", "soft_mode_possible"} <= set(found.flags)
    assert found.concerns["network_alone"] == (EPS,)
    assert any("soft polar mode in partners:Ions" in str(w) for w in found.warnings)


def test_the_shipped_one():
    """With its bounds, and the network alone beside it."""
    pytest.importorskip("sevenn")
    found = predicted(EqTensorCalculator(partner="7net-l3i5"), MGO)
    network = found.consulted.network
    assert found.consulted.alone.keys() == {
        "electronic_dielectric_tensor",
        "piezoelectric_tensor",
    }
    assert found.tensors[C] != pytest.approx(network[C], rel=0.01)
    for name in ("k_vrh_gpa", "g_vrh_gpa", "eps_total"):
        low, high = found.interval(name)
        assert low < found.scalars[name] < high
    assert 130 < found.scalars["k_vrh_gpa"] < 165
