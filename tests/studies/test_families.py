"""Families of crystals that are left out, and what is asked of models."""

import json
import logging

import numpy as np
import pytest
from ase.build import bulk
from scipy.spatial.transform import Rotation
from training import records, small_recipe

from ase_eqtensor.tensors.notation import rotate_stiffness, voigt_to_mandel
from ase_eqtensor.train.fitting.samples import prepare
from studies.families import FAMILIES, describe, execute, without
from studies.laws import layered
from studies.ranges import slope, zener

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def samples():
    return prepare(records(), 4.5, workers=1)


def test_nothing_of_a_family_is_trained_on(samples):
    parts, held = without(samples, "halides")
    assert {s.record.atoms.numbers[1] for s in held} == {9, 17, 35, 53}
    trained = [*parts.train, *parts.val]
    assert parts.train and parts.val
    assert not any(FAMILIES["halides"](s.record.atoms) for s in trained)
    assert not {s.record.reduced_formula for s in trained} & {
        s.record.reduced_formula for s in held
    }
    assert {s.record.dataset for s in trained} > {"taught"}
    assert "taught" not in {s.record.dataset for s in held}


def test_families():
    members = {
        "halides": bulk("NaCl", "rocksalt", a=5.6),
        "oxides of 3d metals": bulk("NiO", "rocksalt", a=4.2),
        "hydrides": bulk("LiH", "rocksalt", a=4.1),
        "layered crystals": layered("MoS2", 6.0),
    }
    assert members.keys() == FAMILIES.keys()
    for name, atoms in members.items():
        assert [f for f, belongs in FAMILIES.items() if belongs(atoms)] == [name]
    for none in (bulk("MgO", "rocksalt", a=4.2), bulk("Ne", "fcc", a=4.4)):
        assert not any(belongs(none) for belongs in FAMILIES.values())


def test_a_run_leaves_its_figures(samples, tmp_path):
    execute(small_recipe(epochs=1), "halides", samples, tmp_path / "joint-halides.json")
    stored = json.loads((tmp_path / "joint-halides.json").read_text())
    assert stored["moduli"]["crystals"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["joint-halides.json"]
    (line,) = [x for x in describe(tmp_path, ["joint"]).splitlines() if x.startswith("| halides")]
    assert line.count("|") == 8 and "-" not in line.split("|")[3:]


@pytest.mark.parametrize("constants", [(168.0, 121.0, 75.0), (100.0, 20.0, 15.0)])
def test_zener_ratio_in_any_frame(constants):
    c11, c12, c44 = constants
    voigt = np.diag([c11] * 3 + [c44] * 3)
    voigt[:3, :3] += c12 * (1 - np.eye(3))
    turned = rotate_stiffness(voigt, Rotation.random(rng=np.random.default_rng(1)).as_matrix())
    expected = np.log(2 * c44 / (c11 - c12))
    np.testing.assert_allclose(zener(voigt_to_mandel(np.array([voigt, turned]))), expected)


def test_slope():
    x = np.array([0.0, 1.0, 2.0])
    assert slope(x, 0.5 * x + 3) == pytest.approx(0.5)
