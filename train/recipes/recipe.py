"""Recipes: small TOML files with typed, documented fields that say how a model is made."""

import difflib
import tomllib
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import get_origin

from ase_eqtensor.errors import RecipeError
from ase_eqtensor.network.classes import CLASS_MODES
from ase_eqtensor.network.model import Architecture
from ase_eqtensor.tensors.irreps import parse_irreps
from ase_eqtensor.train.folds import N_FOLDS


@dataclass(frozen=True)
class LossWeights:
    """Weight of each target in the sum of losses (train/losses.py).

    stiffness, electronic, dielectric: tensors. moduli: K and G of crystals that have no tensor.
    formation_energy: eV/atom. anisotropy: weight of a tensor's anisotropic part beside the whole.
    """

    stiffness: float = 1.0
    electronic: float = 1.0
    dielectric: float = 1.0
    moduli: float = 0.5
    formation_energy: float = 0.2
    anisotropy: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """Everything that `eqtensor train` needs to know.

    datasets: data sets of the database to train on, of those in `LOSSES`.
    fold: the fold that is left out as test set (0 ... 4).
    seed: of the initial weights and of the order of the crystals.
    epochs: upper limit; the learning rate falls to zero over them.
    patience: epochs without a better validation score before training stops.
    batch_size: crystals per step.
    learning_rate, weight_decay: of AdamW.
    gradient_clip: largest norm of the gradient.
    class_dropout: share of the crystals in each batch that hide their site-symmetry classes, so
        that the network also knows crystals without symmetry; from 0 to below 1.
    ema_decay: of the exponential moving average of the weights, per step; between 0 and 1.
    network: see `Architecture`. Its lmax must be 4 or more in a model for use: a stiffness has
        components of l = 4, and without harmonics of that degree cubic crystals come out
        isotropic. Less is allowed for comparisons only.
    loss: see `LossWeights`; the weights of the chosen data sets must be positive.
    """

    datasets: list[str] = field(default_factory=lambda: ["elastic", "dielectric"])
    fold: int = 0
    seed: int = 0
    epochs: int = 30
    patience: int = 15
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    ema_decay: float = 0.995
    class_dropout: float = 0.0
    network: Architecture = field(default_factory=Architecture)
    loss: LossWeights = field(default_factory=LossWeights)

    def to_dict(self) -> dict:
        return asdict(self)


# The losses that each data set is trained with: what the network has an output for.
LOSSES = {
    "elastic": ("stiffness",),
    "dielectric": ("electronic", "dielectric"),
    "moduli": ("moduli",),
    "formation_energy": ("formation_energy",),
}

_POSITIVE = {
    "recipe": ("epochs", "patience", "batch_size", "learning_rate", "gradient_clip"),
    "network": ("layers", "radial", "cutoff", "embedding", "head", "mean_neighbours"),
}
_NOT_NEGATIVE = {
    "recipe": ("weight_decay",),
    "network": ("lmax",),
    "loss": tuple(f.name for f in fields(LossWeights)),
}


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("ase_eqtensor.train.recipes")
    return sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )


def load_recipe(name_or_path: str | Path, **overrides) -> Recipe:
    """Recipe from a TOML file or by the name of a shipped one; `overrides` replace top fields.

    Raises RecipeError for a missing file, broken TOML, an unknown field ("did you mean"), a value
    of the wrong type or out of range, or a data set that the network cannot be trained on.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml" and str(name_or_path) in recipe_names():
        path = resources.files("ase_eqtensor.train.recipes") / f"{name_or_path}.toml"
    elif not path.is_file():
        raise RecipeError(
            f"no recipe {str(name_or_path)!r}: give the path of a TOML file or one of "
            f"{', '.join(recipe_names())}"
        )
    try:
        content = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from error
    return parse_recipe({**content, **overrides}, str(path))


def parse_recipe(content: dict, origin: str = "recipe") -> Recipe:
    """Recipe from nested dictionaries; see `load_recipe` for the errors raised."""
    recipe = _build(Recipe, content, origin)
    _check_values(recipe, origin)
    return recipe


def _check_values(recipe: Recipe, origin: str) -> None:
    network = recipe.network
    chosen = [("fold", recipe.fold, range(N_FOLDS))]
    chosen += [("datasets", name, list(LOSSES)) for name in recipe.datasets]
    chosen += [("class_mode", network.class_mode, CLASS_MODES)]
    for name, value, choices in chosen:
        if value not in choices:
            close = difflib.get_close_matches(str(value), map(str, choices), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise RecipeError(
                f"{origin}: {name} = {value!r} is none of {', '.join(map(str, choices))}{hint}"
            )
    if not recipe.datasets:
        raise RecipeError(f"{origin}: datasets is empty; choose from {', '.join(LOSSES)}")
    _check_numbers(recipe, origin)
    try:
        parse_irreps(network.hidden)
        if missing := {0, 2, 4} - parse_irreps(network.output).keys():
            raise ValueError(f"output = {network.output!r} lacks l = {min(missing)}")
    except ValueError as error:
        raise RecipeError(f"{origin} [network]: {error}") from error


def _check_numbers(recipe: Recipe, origin: str) -> None:
    sections = {"recipe": recipe, "network": recipe.network, "loss": recipe.loss}
    for part, section in sections.items():
        where = origin if section is recipe else f"{origin} [{part}]"
        for name in _POSITIVE.get(part, ()):
            if not getattr(section, name) > 0:  # not <=, which is false for nan
                raise RecipeError(f"{where}: {name} = {getattr(section, name)} must be positive")
        for name in _NOT_NEGATIVE[part]:
            if not getattr(section, name) >= 0:
                raise RecipeError(
                    f"{where}: {name} = {getattr(section, name)} must not be negative"
                )
    if not 0 < recipe.ema_decay < 1:
        raise RecipeError(f"{origin}: ema_decay = {recipe.ema_decay} must be between 0 and 1")
    if not 0 <= recipe.class_dropout < 1:
        raise RecipeError(
            f"{origin}: class_dropout = {recipe.class_dropout} must be at least 0 and below 1"
        )
    for dataset in recipe.datasets:
        for name in LOSSES[dataset]:
            if getattr(recipe.loss, name) == 0:
                raise RecipeError(
                    f"{origin} [loss]: {name} = 0, so nothing would be learnt from the data set "
                    f"{dataset!r}; give it a weight, or leave the data set out"
                )


def _build(cls, content: dict, origin: str):
    known = {f.name: f for f in fields(cls)}
    sections = {"network": Architecture, "loss": LossWeights} if cls is Recipe else {}
    values = {}
    for name, value in content.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise RecipeError(f"{origin}: unknown field {name!r}; {hint}")
        if name in sections and isinstance(value, dict):
            values[name] = _build(sections[name], value, f"{origin} [{name}]")
        else:
            values[name] = _checked(name, value, known[name].type, origin)
    return cls(**values)


def _checked(name: str, value, expected, origin: str):
    if expected is float and type(value) is int:
        return float(value)
    kind = get_origin(expected) or expected  # list of list[str]
    if isinstance(kind, type) and type(value) is not kind:
        raise RecipeError(f"{origin}: {name} = {value!r} must be of type {kind.__name__}")
    return value
