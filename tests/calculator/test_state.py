"""What a calculator keeps between calls belongs to its settings, its crystal and its thread."""

import copy
import json
import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from crystals import CRYSTALS
from networks import card, tiny_network

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.errors import (
    EqTensorError,
    MagneticWarning,
    NothingCalculatedError,
    SettingError,
    UnknownSettingWarning,
)
from ase_eqtensor.models.store import save_model

STIFFNESS = "elasticity_tensor"
DUPLICATES = [copy.deepcopy, lambda calc: pickle.loads(pickle.dumps(calc))]


@pytest.fixture
def atoms(calc):
    atoms = CRYSTALS["triclinic"].copy()
    atoms.calc = calc
    return atoms


CHANGES = {
    "dtype": "float64",
    "symprec": 0.05,
    "project": False,
    "reduce_cell": False,
    "allow_untrained_elements": True,
}


def noisy() -> Atoms:
    """Silicon that is cubic within 0.05 Å, but not within 0.01 Å."""
    atoms = bulk("Si")
    atoms.rattle(0.02, seed=1)
    return atoms


@pytest.mark.parametrize("assign", [False, True], ids=["set", "attribute"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_setting_changed_later_is_honoured(model, name, assign):
    atoms = noisy()
    calc = EqTensorCalculator(model)
    before = calc.get_property(STIFFNESS, atoms)
    value = CHANGES[name]
    if assign:
        setattr(calc, name, value)
    else:
        assert calc.set(**{name: value}) == {name: value}
    assert calc.results == {} and calc.prediction is None
    assert getattr(calc, name) == calc.parameters[name] == calc.todict()[name] == value
    fresh = EqTensorCalculator(model, **{name: value})
    expected = fresh.get_property(STIFFNESS, atoms)
    np.testing.assert_array_equal(calc.get_property(STIFFNESS, atoms), expected)
    if name == "symprec":
        assert not np.allclose(expected, before, rtol=1e-5)
    assert calc.todict() == fresh.todict() and calc.parameters == fresh.parameters


def test_several_settings_at_once(calc):
    assert calc.set(symprec=0.05, dtype="float64", project=True) == {
        "symprec": 0.05,
        "dtype": "float64",
    }
    assert calc.predictor.symprec == 0.05
    assert next(calc.model.network.parameters()).dtype == torch.float64


def test_a_setting_that_stays_keeps_the_results(atoms, calc):
    atoms.get_property(STIFFNESS)
    kept = calc.prediction
    assert calc.set(symprec=calc.symprec, model=calc.model) == {}
    assert calc.set() == {}
    assert calc.prediction is kept


def test_another_model(calc, tmp_path):
    other = save_model(tiny_network(), card(), tmp_path / "other")
    atoms = CRYSTALS["quartz"]
    before = calc.get_property(STIFFNESS, atoms)
    assert calc.set(model=other) == {"model": other}
    assert calc.model.name == calc.parameters["model"] == calc.todict()["model"] == "other"
    expected = EqTensorCalculator(other).get_property(STIFFNESS, atoms)
    np.testing.assert_array_equal(calc.get_property(STIFFNESS, atoms), expected)
    assert not np.allclose(expected, before)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"symprek": 0.05}, "symprek=0.05.*Did you mean 'symprec'"),
        ({"dtype": "float64", "Device": "cpu"}, "Did you mean 'device'"),
        ({"symprec": 7}, "symprec=7: choose"),
        ({"dtype": "half"}, "dtype='half'"),
        ({"symprec": 0.05, "device": "cuda:99"}, "cuda:99"),
    ],
)
def test_an_impossible_change_changes_nothing(atoms, calc, changes, words):
    atoms.get_property(STIFFNESS)
    before = calc.prediction, dict(calc.parameters)
    with pytest.raises(SettingError, match=words) as caught:
        calc.set(**changes)
    assert isinstance(caught.value, EqTensorError) and isinstance(caught.value, ValueError)
    assert (calc.prediction, calc.parameters) == before


def test_what_is_no_setting_is_named(calc):
    with pytest.warns(UnknownSettingWarning, match="kpts=.2, 2, 2..*symprec") as caught:
        assert calc.set(kpts=(2, 2, 2), symprec=0.05) == {"symprec": 0.05}
    assert caught[0].filename == __file__
    assert calc.symprec == 0.05 and "kpts" not in calc.parameters


def test_parameters_do_not_pretend_to_change(calc):
    with pytest.raises(TypeError, match="calc.set"):
        calc.parameters["symprec"] = 0.05
    with pytest.raises(TypeError, match="calc.set"):
        calc.parameters.update(symprec=0.05)
    assert json.loads(json.dumps(calc.parameters))["model"] == "tiny"


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_copies_are_set_for_themselves(atoms, calc, duplicate):
    atoms.get_property(STIFFNESS)
    other = duplicate(calc)
    assert other.prediction.tensors.keys() == calc.prediction.tensors.keys()
    other.set(symprec=0.05)
    assert (other.symprec, calc.symprec) == (0.05, 0.01)
    assert other.prediction is None and calc.prediction is not None
    other.get_property(STIFFNESS, atoms)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "meta", "cuda0", "", 0, torch.device("hpu")])
def test_a_device_that_is_not_there(model, device):
    with pytest.raises(SettingError, match=f"device='{device}'.*'cpu'.*install") as caught:
        EqTensorCalculator(model, device=device)
    assert str(caught.value).count("\n") == 0


def test_a_device_that_is_there(model):
    assert EqTensorCalculator(model, device=torch.device("cpu")).device == "cpu"
    if torch.cuda.is_available():
        assert EqTensorCalculator(model, device="cuda:0").device == "cuda:0"
    else:
        with pytest.raises(SettingError, match="device='cuda'"):
            EqTensorCalculator(model, device="cuda")


def test_magnetic_moments_set_later_are_told(atoms, calc):
    with warnings.catch_warnings():
        warnings.simplefilter("error", MagneticWarning)
        value = atoms.get_property(STIFFNESS)
    atoms.set_initial_magnetic_moments(np.ones(len(atoms)))
    with pytest.warns(MagneticWarning, match="up to 1 "):
        np.testing.assert_array_equal(atoms.get_property(STIFFNESS), value)
    assert "magnetic_moments_ignored" in calc.prediction.flags
    atoms.set_initial_magnetic_moments(None)
    with warnings.catch_warnings():
        warnings.simplefilter("error", MagneticWarning)
        atoms.get_property(STIFFNESS)
    assert "magnetic_moments_ignored" not in calc.prediction.flags


def test_masses_set_later_count(atoms, calc):
    atoms.get_property(STIFFNESS)
    atoms.set_masses(2 * atoms.get_masses())
    assert calc.calculation_required(atoms, [STIFFNESS])


def test_nothing_was_calculated_yet(calc):
    for question in (calc.seen, lambda: calc.get_property(STIFFNESS), calc.calculate):
        with pytest.raises(NothingCalculatedError, match="atoms") as caught:
            question()
        assert isinstance(caught.value, EqTensorError) and isinstance(caught.value, RuntimeError)


KINDS = [
    bulk("MgO", "rocksalt", a=4.21),
    bulk("Si"),
    bulk("GaAs", "zincblende", a=5.65),
    CRYSTALS["quartz"],
]


@pytest.fixture
def impatient():
    """Threads change so often that what they share is seen half done."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("impatient")
def test_threads_may_share_a_calculator(model):
    calc = EqTensorCalculator(model, allow_untrained_elements=True)
    expected = [entry.tensors for entry in calc.predict(KINDS)]

    def ask(i: int) -> bool:
        kind = i % len(KINDS)
        atoms = KINDS[kind].copy()
        atoms.calc = calc
        names = list(expected[kind])
        if i % 3 == 0:
            value = calc.predict([atoms])[0].tensors[names[0]]
            return np.allclose(value, expected[kind][names[0]], rtol=1e-4)
        values = {name: atoms.get_property(name) for name in names}
        values |= {name: calc.get_property(name) for name in names}  # of this thread's crystal
        record = calc.prediction.tensors
        return calc.atoms == atoms and all(
            np.allclose(array, expected[kind][name], rtol=1e-4, atol=1e-6)
            for named in (values, record, calc.results)
            for name, array in named.items()
        )

    with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("ignore")
        assert all(pool.map(ask, range(200)))


@pytest.mark.usefixtures("impatient")
def test_settings_may_change_while_threads_calculate(model):
    atoms = noisy()
    expected = [
        EqTensorCalculator(model, symprec=symprec).get_property(STIFFNESS, atoms)
        for symprec in (0.01, 0.1)
    ]
    assert not np.allclose(*expected, rtol=1e-5)
    calc = EqTensorCalculator(model)

    def ask(i: int) -> bool:
        if i % 10 == 0:
            return bool(calc.set(symprec=(0.1, 0.01)[i // 10 % 2]))
        value = calc.get_property(STIFFNESS, atoms)
        return any(np.allclose(value, of_setting, rtol=1e-6) for of_setting in expected)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(200)))
    assert all(answer for i, answer in enumerate(answers) if i % 10)
    calc.set(symprec=0.1)
    np.testing.assert_allclose(calc.get_property(STIFFNESS, atoms), expected[1], rtol=1e-6)


def test_another_thread_sees_the_last_calculation(calc):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(calc.get_property, STIFFNESS, KINDS[0]).result()
        assert calc.atoms == KINDS[0] and STIFFNESS in calc.results
        calc.get_property(STIFFNESS, KINDS[1])
        assert pool.submit(lambda: calc.atoms).result() == KINDS[0]
        calc.set(symprec=0.05)
        assert pool.submit(lambda: calc.prediction).result() is None
