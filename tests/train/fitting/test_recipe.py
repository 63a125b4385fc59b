"""Recipes: typed, documented fields, and errors that help."""

import re
from dataclasses import fields

import pytest

from ase_eqtensor.errors import RecipeError
from ase_eqtensor.network.model import Architecture, TensorNetwork
from ase_eqtensor.train.recipes.recipe import (
    Recipe,
    load_recipe,
    parse_recipe,
    recipe_names,
)
from ase_eqtensor.train.targets import DATASETS, targets


def test_shipped_recipes_load_and_their_networks_build():
    assert {"joint", "joint-public"} <= set(recipe_names())
    for name in recipe_names():
        recipe = load_recipe(name)
        TensorNetwork(recipe.network)
        assert recipe.fold == 0
    assert "moduli" in load_recipe("joint").datasets
    assert "moduli" not in load_recipe("joint-public").datasets


def test_public_recipe_differs_in_its_data_alone():
    """With fewer crystals in an epoch it may take more of them; network and loss are the same."""
    a, b = load_recipe("joint").to_dict(), load_recipe("joint-public").to_dict()
    assert "datasets" in {k for k in a if a[k] != b[k]} <= {"datasets", "epochs"}


def test_file_with_sections(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        "epochs = 3\nlearning_rate = 1\ndatasets = ['elastic']\n"
        "anisotropy = 2.0\n[network]\nclass_mode = 'gate'\n[loss]\nmoduli = 3\n"
    )
    recipe = load_recipe(path, seed=4)
    assert (recipe.epochs, recipe.seed, recipe.datasets) == (3, 4, ["elastic"])
    assert recipe.learning_rate == 1.0 and type(recipe.learning_rate) is float
    assert recipe.network.class_mode == "gate" and recipe.anisotropy == 2.0
    weights = {name: recipe.weight(target) for name, target in targets().items()}
    assert weights["moduli"] == 3.0 and weights["elasticity_tensor"] == 1.0
    assert recipe.network.cutoff == Architecture().cutoff


def test_a_recipe_in_a_card_is_a_recipe_again():
    recipe = load_recipe("joint", seed=3)
    assert parse_recipe(recipe.to_dict()) == recipe


@pytest.mark.parametrize(
    "content, message",
    [
        ({"epoch": 3}, "unknown field 'epoch'; did you mean 'epochs'"),
        ({"network": {"lmaxx": 3}}, r"\[network\]: unknown field 'lmaxx'; did you mean 'lmax'"),
        ({"loss": {"elastic_tensor": 1.0}}, "did you mean 'elasticity_tensor'"),
        ({"loss": {"moduli": "much"}}, "moduli = 'much' must be of type float"),
        ({"zzz": 1}, "unknown field 'zzz'; known: .*epochs"),
        ({"epochs": "many"}, "epochs = 'many' must be of type int"),
        ({"epochs": 3.5}, "epochs = 3.5 must be of type int"),
        ({"epochs": True}, "epochs = True must be of type int"),
        ({"learning_rate": "fast"}, "must be of type float"),
        ({"datasets": "elastic"}, "must be of type list"),
        ({"network": 3}, "must be of type Architecture"),
        ({"network": {"class_mode": "gates"}}, "class_mode = 'gates'.*did you mean 'gate'"),
        ({"network": {"class_mode": 1}}, "class_mode = 1"),
        ({"network": {"descriptors": "shell"}}, "descriptors = 'shell'.*did you mean 'shells'"),
        ({"network": {"hidden": "8x0o"}}, "natural parity"),
        ({"network": {"hidden": "nonsense"}}, "nonsense"),
        ({"network": {"output": "8x0e + 4x2e"}}, "lacks l = 4"),
        ({"datasets": ["elastics"]}, "did you mean 'elastic'"),
        (
            {"datasets": ["piezoelectric"], "network": {"odd": "8x0e + 4x1o + 4x2o"}},
            "lacks l = 3, which piezoelectric needs",
        ),
        ({"network": {"odd": "8x0e + 4x2e"}}, "odd parity"),
        ({"datasets": []}, "datasets is empty; choose from elastic"),
        ({"datasets": ["moduli"], "loss": {"moduli": 0}}, r"\[loss\]: moduli = 0.*'moduli'"),
        ({"loss": {"dielectric_tensor": 0.0}}, r"dielectric_tensor = 0.*'dielectric'"),
        ({"anisotropy": -1.0}, "anisotropy = -1.0 must not be negative"),
        ({"loss": {"moduli": -1.0}}, r"\[loss\]: moduli = -1.0 must not be negative"),
        ({"class_dropout": 1.0}, "class_dropout = 1.0 must be at least 0 and below 1"),
        ({"class_dropout": -0.1}, "class_dropout = -0.1 must be at least 0"),
        ({"ema_decay": 1.0}, "ema_decay = 1.0 must be between 0 and 1"),
        ({"ema_decay": 0}, "ema_decay = 0.0 must be between 0 and 1"),
        ({"weight_decay": -0.1}, "weight_decay = -0.1 must not be negative"),
        ({"gradient_clip": 0}, "gradient_clip = 0.0 must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate = nan must be positive"),
        ({"network": {"mean_neighbours": 0}}, r"\[network\]: mean_neighbours = 0.0 must be pos"),
        ({"network": {"lmax": -1}}, "lmax = -1 must not be negative"),
        ({"fold": 5}, "fold = 5 is none of 0, 1, 2, 3, 4"),
        ({"epochs": 0}, "epochs = 0 must be positive"),
        ({"batch_size": -1}, "batch_size"),
        ({"network": {"cutoff": -5.0}}, "cutoff"),
    ],
)  # fmt: skip
def test_mistakes_are_named(content, message):
    with pytest.raises(RecipeError, match=f"here.*{message}"):
        parse_recipe(content, "here")


def test_values_at_the_edge_are_allowed():
    recipe = parse_recipe({"weight_decay": 0, "network": {"lmax": 0}, "anisotropy": 0})
    assert (recipe.weight_decay, recipe.network.lmax, recipe.anisotropy) == (0, 0, 0)
    assert parse_recipe({"datasets": ["elastic"], "loss": {"moduli": 0}}).loss == {"moduli": 0}


def test_every_data_set_has_losses_that_are_learnt_by_default():
    for name in DATASETS:
        assert parse_recipe({"datasets": [name]}).datasets == [name]


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(RecipeError, match="no recipe 'jiont'.*joint"):
        load_recipe("jiont")
    with pytest.raises(RecipeError, match="missing.toml"):
        load_recipe(tmp_path / "missing.toml")
    (tmp_path / "broken.toml").write_text("epochs = = 3")
    with pytest.raises(RecipeError, match="broken.toml: not valid TOML"):
        load_recipe(tmp_path / "broken.toml")
    with pytest.raises(RecipeError, match="fold"):
        load_recipe("joint", fold=7)


@pytest.mark.parametrize("cls", [Recipe, Architecture])
def test_every_field_is_documented(cls):
    for field in fields(cls):
        if field.name not in ("network", "loss"):
            assert re.search(rf"\b{field.name}\b", cls.__doc__), field.name
