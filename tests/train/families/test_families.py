"""Families of crystals that are left out of training, and what models say of them."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from training import records, small_recipe

from ase_eqtensor.models.store import load_model
from ase_eqtensor.train.calibrate import main as calibrate
from ase_eqtensor.train.data.database import read_database, write_database
from ase_eqtensor.train.data.sources import LABELS_ALONE
from ase_eqtensor.train.families import kept
from ase_eqtensor.train.families.definitions import FAMILIES, without
from ase_eqtensor.train.families.runs import execute, networks, predictions, weights_of
from ase_eqtensor.train.fitting.samples import prepare
from ase_eqtensor.train.release import release
from ase_eqtensor.train.run import train
from ase_eqtensor.train.scoring.deviations import deviations
from studies.families import row
from studies.laws import layered

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def samples():
    return prepare(records(), 4.5, workers=1)


@pytest.fixture(scope="module")
def weights(samples, tmp_path_factory):
    path = weights_of(tmp_path_factory.mktemp("runs"), "joint", "halides", 0)
    execute(small_recipe(epochs=1), "halides", samples, path)
    return path


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


def test_what_only_a_potential_knows_of_a_family_stays():
    """Other compositions than those that are scored, that is."""
    copied = next(r for r in records() if FAMILIES["halides"](r.atoms) and r.dataset == "taught")
    made_up = replace(copied, source=LABELS_ALONE, reduced_formula="CsAtF")
    same = replace(copied, source=LABELS_ALONE)
    chosen = prepare([*records(), made_up, same], 4.5, workers=1)
    parts, _ = without(chosen, "halides")
    trained = [sample.record for sample in (*parts.train, *parts.val)]
    assert sum(record is made_up for record in trained) == 1
    assert not any(record is same for record in trained)


def test_members_of_families():
    members = {
        "halides": bulk("NaCl", "rocksalt", a=5.6),
        "oxides of 3d metals": bulk("NiO", "rocksalt", a=4.2),
        "hydrides": bulk("NaH", "rocksalt", a=4.9),
        "layered crystals": layered("MoS2", 6.0),
        "carbides and nitrides": bulk("TiC", "rocksalt", a=4.3),
        "intermetallics of f elements": bulk("CeCu", "cesiumchloride", a=3.5),
        "aluminium": bulk("Al"),
        "lithium": bulk("Li"),
        "selenium": bulk("ZnSe", "zincblende", a=5.7),
        "oxygen": bulk("NiO", "rocksalt", a=4.2),
    }
    assert members.keys() == FAMILIES.keys()
    for name, atoms in members.items():
        assert name in [family for family, belongs in FAMILIES.items() if belongs(atoms)]
    for none in (bulk("MgS", "rocksalt", a=5.2), bulk("Ne", "fcc", a=4.4)):
        assert not any(belongs(none) for belongs in FAMILIES.values())


def test_a_run_leaves_a_network(weights):
    assert sorted(path.suffixes[-1] for path in weights.parent.iterdir()) == [
        ".json",
        ".npz",
        ".safetensors",
    ]
    assert networks(weights.parent, "halides") == [weights]
    model = load_model(weights)
    assert model.card.recipe["without"] == "halides"
    assert not {9, 17, 35, 53} & model.trained_elements("elasticity_tensor")


def test_errors_on_a_family(weights, samples):
    predicted = predictions("halides", [weights], samples)
    known = deviations(predicted, ordinary=False)["elasticity_tensor"]
    assert not known["relative_error"].ordinary.any()
    assert set(known["relative_error"].features["halides"]) == {1.0}
    assert np.isfinite(known["k_vrh_gpa"].features["elasticity_tensor distance"]).all()
    cells = row("halides", "joint", weights, samples)
    assert len(cells) == 7 and "-" not in cells


def test_models_are_calibrated_with_families(weights, tmp_path, monkeypatch, capsys):
    saved = {}
    monkeypatch.setattr(kept, "save", lambda path, known, recipe: saved.update(known))
    database = tmp_path / "crystals.db"
    write_database(database, records())
    run = train(database, small_recipe(epochs=1), tmp_path / "run")
    released = release("small", read_database(database), [run.parent], tmp_path)
    calibrate(str(released), database, weights.parent, None)
    assert saved.keys() == {"halides"} and saved["halides"]["elasticity_tensor"]
    assert load_model(released).card.calibrated
    assert "small: 1 networks" in capsys.readouterr().out


def test_errors_are_kept(weights, samples, tmp_path):
    recipe = small_recipe().to_dict()
    known = deviations(predictions("halides", [weights], samples), ordinary=False)
    kept.save(tmp_path / "errors.npz", {"halides": known}, recipe | {"seed": 7})
    again = kept.load(recipe, tmp_path / "errors.npz")["halides"]
    assert again.keys() == known.keys()
    for name, errors in known.items():
        assert again[name].keys() == errors.keys()
        for error, expected in errors.items():
            found = again[name][error]
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
            assert found.formulas.tolist() == expected.formulas.tolist()
            assert found.features.keys() == expected.features.keys()
            for feature, values in expected.features.items():
                np.testing.assert_allclose(found.features[feature], values, rtol=1e-6, atol=1e-6)
    wider = recipe | {"network": recipe["network"] | {"hidden": "32x0e + 8x1o + 8x2e"}}
    assert kept.load(wider, tmp_path / "errors.npz").keys() == {"halides"}
    assert kept.load(recipe | {"epochs": 99}, tmp_path / "errors.npz") == {}


def test_what_is_kept_belongs_to_the_default_model():
    families = kept.load(load_model().card.recipe)
    assert families.keys() <= FAMILIES.keys() and "halides" in families
