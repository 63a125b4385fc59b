"""Fixtures: small networks with random weights, saved models, and settings that must not leak."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

# `python -m pytest` puts the checkout first on the path; it is the installed package that is tested
ROOT = Path(__file__).parents[1]
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
sys.path.append(str(ROOT / "benchmarks"))  # the e3nn reference that the convolution must equal
sys.path.append(str(ROOT / "docs"))  # what fills and builds the pages
sys.path.append(str(ROOT))  # last, for the studies, which the installed package lacks

from networks import card, tiny_network  # noqa: E402

from ase_eqtensor import EqTensorCalculator  # noqa: E402
from ase_eqtensor.models.store import Model, load_model, save_model  # noqa: E402


@pytest.fixture(autouse=True)
def reproducible(monkeypatch):
    """Every test starts from the same random states, on one core, with torch's own defaults."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)


@pytest.fixture(scope="session", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(scope="session")
def tolerance(dtype):
    """Largest relative equivariance error that a precision may cause."""
    return 1e-5 if dtype == torch.float32 else 1e-10


@pytest.fixture(scope="session", params=["shared", "gate", "local", "full"])
def class_mode(request):
    return request.param


@pytest.fixture(scope="session")
def network(class_mode, dtype):
    """A small network of every class mode and precision; its class parameters are random."""
    return tiny_network(class_mode=class_mode).to(dtype)


@pytest.fixture(scope="session")
def network64():
    return tiny_network(class_mode="full").double()


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Path of a small model on disk; its card leaves out Cl (stiffness) and Tc (dielectric)."""
    network = tiny_network(class_mode="gate")
    return save_model(network, card(), tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def model(weights) -> Model:
    return load_model(weights)


@pytest.fixture
def calc(model):
    return EqTensorCalculator(model)
