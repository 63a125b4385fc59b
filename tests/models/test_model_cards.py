"""Model cards: all of them is checked, and those of older versions are read as before."""

import json
from dataclasses import fields

import msgspec
import numpy as np
import pytest
from ase.build import bulk
from networks import card
from places import DATA

from ase_eqtensor import EqTensorCalculator, ModelError, load, load_model, tensors_of
from ase_eqtensor.models.card import Card, read_card, write_card
from ase_eqtensor.models.upgrade import upgrade
from ase_eqtensor.network.model import Architecture

OLD = DATA / "version_0_1"  # written by version 0.1


@pytest.fixture
def content(tmp_path):
    """The JSON of a card."""
    write_card(card(name="mine", sha256="0"), tmp_path / "mine.json")
    return json.loads((tmp_path / "mine.json").read_text())


def refused(content: dict, tmp_path) -> str:
    (tmp_path / "card.json").write_text(json.dumps(content))
    with pytest.raises(ModelError) as caught:
        read_card(tmp_path / "card.json")
    return str(caught.value)


def test_round_trip(content, tmp_path):
    again = read_card(tmp_path / "mine.json")
    assert again == card(name="mine", sha256="0")
    assert set(content) == set(Card.__struct_fields__)


@pytest.mark.parametrize("key", Card.__struct_fields__)
def test_every_key_is_asked_for(content, tmp_path, key):
    del content[key]
    assert f"lacks {key}" in refused(content, tmp_path)


@pytest.mark.parametrize("key", [field.name for field in fields(Architecture)])
def test_so_is_the_architecture(content, tmp_path, key):
    del content["architecture"][key]
    assert f"lacks architecture.{key}" in refused(content, tmp_path)


@pytest.mark.parametrize("key", Card.__struct_fields__)
def test_every_key_has_a_type(content, tmp_path, key):
    content[key] = 3.5
    assert key in refused(content, tmp_path)


@pytest.mark.parametrize(
    "change, place",
    [
        ({"members": [{"seed": 0}]}, "fold"),
        ({"members": [{"fold": "first", "seed": 0}]}, "$.members[0].fold"),
        ({"elements": {"elasticity_tensor": {"8": "many"}}}, "$.elements"),
        ({"uncertainty": {"elasticity_tensor": {"scales": {}}}}, "unfamiliar_above"),
        ({"level_of_theory": {"elasticity_tensor": None}}, "$.level_of_theory"),
        ({"notes": "mine"}, "unknown keys notes"),
        ({"limits": "none"}, "$.limits"),
    ],
)
def test_wrong_entries_are_named_with_their_place(content, tmp_path, change, place):
    assert place in refused(content | change, tmp_path)


def test_model_of_version_0_1_loads_as_before(tmp_path):
    model = load_model(OLD / "tiny.safetensors")
    assert model.card.format == 5 and json.loads((OLD / "tiny.json").read_text())["format"] == 2
    assert model.trained_elements("elasticity_tensor") and not model.card.calibrated
    assert model.network.architecture.heads == [
        "stiffness",
        "electronic",
        "ionic",
        "formation_energy",
    ]
    assert not model.network.architecture.densities
    assert model.network.architecture.descriptors == "shells"
    assert len(model.training_crystals) > 0
    calculator = EqTensorCalculator(model)
    tensor = calculator.get_property("elasticity_tensor", bulk("MgO", "rocksalt", a=4.2))
    assert np.linalg.eigvalsh(tensor)[0] > 0


def test_old_card_is_upgraded_whole():
    today = load_model("joint-v2").card
    for key in ("elements", "uncertainty", "calibration"):
        assert "elasticity_tensor" in getattr(today, key)
    assert set(today.elements) == {
        "elasticity_tensor", "electronic_dielectric_tensor", "dielectric_tensor"
    }  # fmt: skip
    text = msgspec.json.encode(today).decode()
    assert not any(old in text for old in ("trace_third", "mae_gpa", "stiffness rarity"))
    assert today.calibration["dielectric_tensor"]["eps_total"]["coverage"]["0.9"] > 0.8


@pytest.mark.parametrize("key", ["architecture", "members", "elements", "uncertainty", "figures"])
def test_damaged_old_card_is_a_model_error(tmp_path, key):
    content = json.loads((OLD / "tiny.json").read_text())
    assert "card.json is damaged" in refused(content | {key: 7}, tmp_path)


def test_networks_that_can_no_longer_be_built_say_so(tmp_path):
    content = json.loads((OLD / "tiny.json").read_text())
    content["architecture"]["products"] = 4
    assert "products" in refused(content, tmp_path)


def test_upgrade_leaves_its_argument_and_new_cards_alone(content):
    old = json.loads((OLD / "tiny.json").read_text())
    before = json.dumps(old)
    upgrade(old)
    assert json.dumps(old) == before
    assert upgrade(content) is content


@pytest.mark.parametrize("suffix", [".extxyz", ".traj", ".db", ".json"])
def test_files_of_version_0_1_are_read(suffix):
    images = load(OLD / f"crystals{suffix}")
    assert [str(image.symbols) for image in images] == ["Ca4F8", "Ti2O4", "Mg4O4"]
    for image, prediction in zip(images, EqTensorCalculator("joint-v2").predict(images)):
        kept = tensors_of(image)
        assert list(kept) == list(prediction)
        for name, tensor in kept.items():
            np.testing.assert_allclose(tensor, prediction.tensors[name], rtol=1e-5, atol=1e-6)
        estimate = image.info["eqtensor"]["uncertainty"]["dielectric_tensor"]
        value = estimate["scalars"]["eps_total"]["value"]
        assert value == pytest.approx(prediction.scalars["eps_total"], rel=1e-5)
