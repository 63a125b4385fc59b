"""What other libraries set for the whole program plays no role."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from crystals import CRYSTALS
from networks import tiny_network

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.tensors import forms, irreps, wigner


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


# "meta" has no values, so that whatever is made there fails; it stands for a GPU
ELSEWHERE = {
    "device": lambda: default_device("meta"),
    "device of a context": lambda: torch.device("meta"),
    "double": lambda: default_dtype(torch.float64),
    "half": lambda: default_dtype(torch.float16),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no gradients": torch.no_grad,
    "gradients": torch.enable_grad,
}


def clear_caches() -> None:
    """Forget the tensors that are made once."""
    from ase_eqtensor.network import harmonics

    for cached in (
        wigner.clebsch_gordan,
        wigner._coupling,
        irreps.rank2_basis,
        irreps.stiffness_basis,
        harmonics._step,
    ):
        cached.cache_clear()


def tensors(calc) -> dict[str, np.ndarray]:
    entries = calc.predict(list(CRYSTALS.values()))
    return {
        f"{i} {name}": array
        for i, entry in enumerate(entries)
        for name, array in entry.tensors.items()
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("setting", ELSEWHERE)
def test_defaults_of_torch_play_no_role(weights, setting, precision):
    calc = EqTensorCalculator(weights, dtype=precision)
    expected = tensors(calc)
    clear_caches()
    with ELSEWHERE[setting]():  # set after the calculator was made, and before
        used, made = tensors(calc), tensors(EqTensorCalculator(weights, dtype=precision))
    afterwards = tensors(calc)  # with what was cached meanwhile
    for values in (used, made, afterwards):
        assert values.keys() == expected.keys() and expected
        for name, value in values.items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)
    clear_caches()


@pytest.mark.parametrize("setting", ELSEWHERE)
@pytest.mark.parametrize("class_mode", ["shared", "gate", "local", "full"])
def test_a_network_starts_from_the_same_weights(setting, class_mode):
    expected = tiny_network(class_mode=class_mode).state_dict()
    with ELSEWHERE[setting]():
        drawn = tiny_network(class_mode=class_mode).state_dict()
    for name, value in expected.items():
        assert drawn[name].dtype == torch.float32 and torch.equal(drawn[name], value), name


@pytest.mark.parametrize("setting", ELSEWHERE)
def test_symbols_that_e3nn_makes(setting):
    expected = wigner._from_e3nn(2, 3, 5)
    with ELSEWHERE[setting]():
        assert torch.equal(wigner._from_e3nn(2, 3, 5), expected)
        assert torch.equal(forms.NUMBER.basis(), torch.from_numpy(np.ones(1)))


PLAIN = """
from ase.build import bulk
from ase_eqtensor import EqTensorCalculator
calc = EqTensorCalculator("joint-v8")
atoms = bulk("MgO", "rocksalt", a=4.21)
calc.get_property("elasticity_tensor", atoms)
calc.predict([atoms, bulk("Si") * (1, 1, 2)])
"""


def test_warnings_may_be_errors(tmp_path):
    subprocess.run([sys.executable, "-W", "error", "-c", PLAIN], cwd=tmp_path, check=True)
