"""What a user installs: the default model with a complete card, and a wheel that works alone."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pinned
import pytest
from ase.build import bulk
from ase.units import GPa
from packaging.version import Version
from places import ROOT
from pymatgen.core.elasticity import ElasticTensor

from ase_eqtensor import EqTensorCalculator, __version__, available_models, load_model
from ase_eqtensor.models.charges import Neighbourhoods
from ase_eqtensor.models.partner_card import read_partner
from ase_eqtensor.models.store import DEFAULT_MODEL, held_out

# Runs with the path that must provide the package as its argument, the network cut off.
OFFLINE = """
import socket, sys
def refuse(*args, **kwargs):
    raise OSError("no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
sys.path[:0] = sys.argv[1:2]
import torch
state, threads = torch.get_rng_state(), torch.get_num_threads()
import ase_eqtensor
from ase.build import bulk
from ase_eqtensor import EqTensorCalculator
atoms = bulk("MgO", "rocksalt", a=4.21)
atoms.calc = EqTensorCalculator()
print(ase_eqtensor.__file__)
print(atoms.get_property("elasticity_tensor")[0, 0], atoms.get_property("dielectric_tensor")[0, 0])
assert torch.equal(torch.get_rng_state(), state), "random state"
assert torch.get_num_threads() == threads and torch.get_default_dtype() == torch.float32
heavy = {"lightning", "plotly", "pandas", "typer", "ase_eqtensor.train"} & sys.modules.keys()
assert not heavy, heavy
"""


@pytest.fixture(scope="module")
def shipped():
    return load_model()


@pytest.fixture(scope="module")
def calc(shipped):
    return EqTensorCalculator(shipped)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which a wheel was installed; built from a copy, to keep the checkout clean."""
    pytest.importorskip("setuptools", "77")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("ase_eqtensor", "train"):
        shutil.copytree(ROOT / name, source / name, ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", str(source), *offline, "--no-build-isolation", "-w", str(folder)]
    result = subprocess.run(build, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (wheel,) = folder.glob("*.whl")
    subprocess.run([*pip, "install", *offline, "--target", folder / "site", wheel], check=True)
    return folder / "site"


def predict_offline(path: Path | None, cwd: Path) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", OFFLINE, *([str(path)] if path else [])]
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split("\n")


def test_default_model_is_found():
    assert DEFAULT_MODEL in available_models()
    assert load_model().sha256 == load_model(DEFAULT_MODEL).sha256


@pytest.mark.parametrize("name", available_models())
def test_card_is_complete(name):
    model = load_model(name)
    card = model.card
    assert card.name == name and Version(card.package_version) <= Version(__version__)
    assert len(card.members) == card.architecture.members
    for key in ("recipe", "figures", "by_fold", "calibration", "data_citation", "intended_use"):
        assert getattr(card, key), key
    assert model.quantities.keys() == card.level_of_theory.keys()
    for declared in model.quantities.values():
        elements = model.trained_elements(declared.trained_on)
        known = elements - model.borrowed_elements(declared.trained_on)
        assert {8, 12, 14} <= known and not {0, 2, 10, 18} & known
    for member in card.members:
        assert all(parts["train"] > 0 for parts in member.data.values())
    figures = card.figures["out_of_fold"]
    tensors = model.quantities.keys() - {"compliance_tensor"}
    assert tensors <= figures.keys()
    assert figures["elasticity_tensor"]["unphysical"] == 0
    assert figures["dielectric_tensor"]["unphysical"] == 0


def test_default_is_scored_on_every_tensor_of_the_training_data(shipped):
    assert held_out(shipped).folds == [0, 1, 2, 3, 4]
    figures = shipped.card.figures["out_of_fold"]
    for dataset, name in (("elastic", "elasticity_tensor"), ("dielectric", "dielectric_tensor")):
        # quarantined rows are scored but not trained on
        trained = sum(crystal.dataset == dataset for crystal in shipped.training_crystals)
        assert 1000 < trained <= figures[name]["crystals"] < 1.02 * trained


@pytest.mark.parametrize("name", available_models())
def test_calibration_of_the_shipped_models(name):
    card = load_model(name).card
    for property_name, entry in card.calibration.items():
        for quantity in entry.keys() - {"flagged"}:
            assert entry[quantity]["coverage"]["0.9"] == pytest.approx(0.9, abs=0.03)
        # of a piezoelectric tensor nothing tells beforehand how far off it is
        told = property_name not in ("compliance_tensor", "piezoelectric_tensor")
        if told and name == DEFAULT_MODEL:
            # below 1 with the spread of several networks, which a student lacks
            assert entry["relative_error"]["width"]["0.9"] < 1.02
            flagged = entry["flagged"]
            assert 0.03 < flagged["share"] < 0.15
            assert flagged["mean_relative"] > 1.6 * flagged["mean_relative_of_the_others"]


@pytest.mark.parametrize("kind", ["by_class", "by_system", "by_size"])
def test_bounds_of_the_default_hold_in_each_group(kind):
    checked = 0
    for name, entry in load_model().card.calibration.items():
        for error in entry.keys() - {"flagged", "refractive_index"}:
            for group, shares in entry[error][kind].items():
                if entry[error]["crystals"][group] >= 40:
                    # 86 to 94 % with the spread of several networks, which a student lacks
                    assert 0.84 <= shares["0.9"] <= 0.94, (name, error, group)
                    assert 0.42 <= shares["0.5"] <= 0.60, (name, error, group)
                    checked += 1
    assert checked >= 30


def test_bounds_of_the_default_hold_for_large_permittivities():
    large = load_model().card.calibration["dielectric_tensor"]["eps_total"]["large"]
    assert large["crystals"] > 80 and large["0.9"] > 0.8


def test_the_shipped_partner():
    """What the potential brings, out of fold, and bounds that hold."""
    model = load_model()
    (path,) = model.partners.values()
    card = read_partner(path)
    assert card.sha256 == model.sha256 and card.calculator == "7net-l3i5"
    for name in ("elasticity_tensor", "dielectric_tensor", "moduli"):
        figures = card.figures[name]
        assert figures["mean"] < 0.93 * figures["network_mean"], name
        assert figures["used"] > 0.88 and figures["better"] > 0.54
    for name, entry in card.calibration.items():
        for error in entry.keys() - {"flagged"}:
            assert 0.86 <= entry[error]["coverage"]["0.9"] <= 0.94, (name, error)
    charges = card.born_charges()(Neighbourhoods.of([bulk("MgO", "rocksalt", a=4.25)])).mean(0)
    assert charges[0, 0, 0, 0] == pytest.approx(2.0, abs=0.3)  # of magnesium


def test_training_crystals_come_with_their_tensors(calc):
    crystal = next(c for c in calc.model.training_crystals if c.tensors and len(c.atoms) > 2)
    found = calc.seen(crystal.atoms)[0]
    assert found.same_structure and found.source_id.startswith("mp-")
    for name, tensor in crystal.tensors.items():
        match = next(c for c in calc.seen(crystal.atoms) if name in c.tensors)
        np.testing.assert_allclose(match.tensors[name], tensor, atol=1e-3 * np.abs(tensor).max())
    assert any(c.atoms is None and not c.tensors for c in calc.model.training_crystals)


def test_predictions_are_pinned():
    """Same weights, same numbers: `tests/pinned.py` holds what the default model predicted."""
    expected, found = json.loads(pinned.FILE.read_text()), pinned.predicted()
    assert len(expected) == 10 and expected.keys() == found.keys()
    for name, one in expected.items():
        for key, values in one.items():
            if key == "flags":
                assert found[name][key] == values, name
            else:
                np.testing.assert_allclose(found[name][key], values, rtol=1e-6, err_msg=name)


def test_weights_are_small():
    folder = ROOT / "ase_eqtensor" / "weights"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 25e6


def test_hash_is_that_of_the_file(shipped):
    import ase_eqtensor.weights

    folder = Path(ase_eqtensor.weights.__file__).parent
    for name in available_models():
        raw = (folder / f"{name}.safetensors").read_bytes()
        card = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        assert hashlib.sha256(raw).hexdigest() == card["sha256"]


# Measured moduli (GPa) and permittivities. A prediction passes within a factor of 1.7, a coarse
# net that catches a wrong unit, frame, factor or element order; PBE itself is off by 30 % at times.
MEASURED = {
    "MgO": (bulk("MgO", "rocksalt", a=4.21), 163, 131, 2.95, 9.8),
    "Si": (bulk("Si", a=5.43), 98, 66, 11.7, 11.7),
    "ZnS": (bulk("ZnS", "zincblende", a=5.41), 77, 33, 5.1, 8.3),
    "CaF2": (bulk("CaF2", "fluorite", a=5.46), 84, 42, 2.04, 6.8),
}


@pytest.mark.parametrize("name", MEASURED)
def test_well_known_crystals(calc, name):
    atoms, k, g, electronic, total = MEASURED[name]
    stiffness = calc.get_property("elasticity_tensor", atoms) / GPa
    elastic = ElasticTensor.from_voigt(stiffness)
    assert 1 / 1.7 < elastic.k_vrh / k < 1.7
    assert 1 / 1.7 < elastic.g_vrh / g < 1.7
    for key, value in (("electronic_dielectric_tensor", electronic), ("dielectric_tensor", total)):
        tensor = calc.get_property(key, atoms)
        np.testing.assert_allclose(tensor, tensor[0, 0] * np.eye(3), atol=1e-10)
        assert 1 / 1.7 < tensor[0, 0] / value < 1.7


def test_offline_in_an_empty_directory(tmp_path):
    """The installation under test: nothing is fetched, changed in torch or imported in vain."""
    assert len(predict_offline(None, tmp_path)) >= 2


def test_wheel_holds_weights_recipes_and_training_code(site):
    package = site / "ase_eqtensor"
    for name in available_models():
        assert (package / "weights" / f"{name}.safetensors").stat().st_size > 1e5
        assert (package / "weights" / f"{name}.json").is_file()
        assert (package / "weights" / f"{name}.crystals.npz").is_file()
    for source in (ROOT / "train").rglob("*"):
        if source.suffix in (".py", ".toml"):
            assert (package / "train" / source.relative_to(ROOT / "train")).is_file(), source
    for source in (ROOT / "ase_eqtensor").rglob("*.py"):
        assert (package / source.relative_to(ROOT / "ase_eqtensor")).is_file(), source


def test_wheel_predicts_offline_in_an_empty_directory(site, tmp_path, calc):
    file, values, *_ = predict_offline(site, tmp_path)
    assert Path(file).is_relative_to(site)
    atoms = bulk("MgO", "rocksalt", a=4.21)
    expected = [
        calc.get_property(k, atoms)[0, 0] for k in ("elasticity_tensor", "dielectric_tensor")
    ]
    np.testing.assert_allclose([float(x) for x in values.split()], expected, rtol=1e-5)


def test_command_line_from_the_wheel(site, tmp_path):
    code = (
        "import sys; sys.path[:0] = [sys.argv.pop(1)]\n"
        "from ase_eqtensor import commands; commands.main()"
    )
    command = [sys.executable, "-c", code, str(site), "train", "no-such-recipe"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert "no recipe 'no-such-recipe'" in result.stderr and "Traceback" not in result.stderr
