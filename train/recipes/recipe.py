"""Recipes: small TOML files with typed, documented fields that say how a model is made."""

import difflib
import tomllib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import get_args, get_origin

from ase_eqtensor.errors import RecipeError
from ase_eqtensor.network.classes import CLASS_MODES
from ase_eqtensor.network.elements import DESCRIPTORS
from ase_eqtensor.network.model import Architecture
from ase_eqtensor.tensors.irreps import parse_irreps
from ase_eqtensor.train.folds import N_FOLDS
from ase_eqtensor.train.targets import DATASETS, Target, targets


@dataclass(frozen=True)
class Recipe:
    """Everything that `eqtensor train` needs to know.

    datasets: data sets of the database to train on, of those in train/targets/.
    fold: the fold that is left out as test set (0 ... 4).
    seed: of the initial weights and of the order of the crystals.
    epochs: passes over the training crystals. The learning rate falls to zero over them, and the
        averaged weights of the last one are the model: val is too small to choose an epoch by.
    start: weights of the interactions with which training begins (train/pretraining/): name of a
        file beside the recipes, or the path of another one; "" for none.
    rest_epochs: passes before that over the training crystals at rest, whose structures teach how
        far neighbours are in such crystals (network/rest.py).
    batch_size: crystals per step.
    learning_rate, weight_decay: of AdamW.
    gradient_clip: largest norm of the gradient.
    class_dropout: share of the crystals in each batch that hide their site-symmetry classes, so
        that the network also knows crystals without symmetry; from 0 to below 1.
    noise: standard deviation in Å of displacements by which training crystals differ in every step,
        so that tensors are smooth in the positions.
    ema_decay: of the exponential moving average of the weights, per step; between 0 and 1.
    anisotropy: weight of the error of a tensor's anisotropic part beside that of the whole.
    loss: target -> weight in the sum of losses, for targets that are not to have their own; those
        of the chosen data sets must be positive.
    network: see `Architecture`; heads, members and reference are set by training. Its lmax must be
        4 or more in a model for use: a stiffness has components of l = 4, and without harmonics of
        that degree cubic crystals come out isotropic. Less is allowed for comparisons only.
    """

    datasets: list[str] = field(default_factory=lambda: ["elastic", "dielectric"])
    fold: int = 0
    seed: int = 0
    epochs: int = 30
    start: str = ""
    rest_epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    gradient_clip: float = 1.0
    ema_decay: float = 0.995
    class_dropout: float = 0.0
    noise: float = 0.0
    anisotropy: float = 0.5
    loss: dict[str, float] = field(default_factory=dict)
    network: Architecture = field(default_factory=Architecture)

    def to_dict(self) -> dict:
        return asdict(self)

    @property
    def trunk(self) -> Path | None:
        """The file that `start` names."""
        if not self.start:
            return None
        path = Path(self.start)
        return path if path.suffix else _shipped_folder() / f"{self.start}.safetensors"

    def weight(self, target: Target) -> float:
        """Weight of a target in the sum of losses."""
        return self.loss.get(target.name, target.weight)


_POSITIVE = {
    "recipe": ("epochs", "rest_epochs", "batch_size", "learning_rate", "gradient_clip"),
    "network": ("layers", "radial", "cutoff", "embedding", "head", "mean_neighbours"),
}
_NOT_NEGATIVE = {
    "recipe": ("weight_decay", "anisotropy", "noise"),
    "network": ("lmax",),
}


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in _shipped_folder().iterdir() if path.suffix == ".toml")


def _shipped_folder() -> Path:
    return Path(str(resources.files("ase_eqtensor.train.recipes")))


def load_recipe(name_or_path: str | Path, **overrides) -> Recipe:
    """Recipe from a TOML file or by the name of a shipped one; `overrides` replace top fields.

    Raises RecipeError for a missing file, broken TOML, an unknown field ("did you mean"), a value
    of the wrong type or out of range, or a data set that the network cannot be trained on.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml" and str(name_or_path) in recipe_names():
        path = _shipped_folder() / f"{name_or_path}.toml"
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
    chosen: list[tuple[str, object, Collection]] = [
        ("fold", recipe.fold, range(N_FOLDS)),
        *(("datasets", name, list(DATASETS)) for name in recipe.datasets),
        *(("target of [loss]", name, list(targets())) for name in recipe.loss),
        ("class_mode", network.class_mode, CLASS_MODES),
        ("descriptors", network.descriptors, DESCRIPTORS),
    ]
    for name, value, choices in chosen:
        if value not in choices:
            close = difflib.get_close_matches(str(value), map(str, choices), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise RecipeError(
                f"{origin}: {name} = {value!r} is none of {', '.join(map(str, choices))}{hint}"
            )
    if not recipe.datasets:
        raise RecipeError(f"{origin}: datasets is empty; choose from {', '.join(DATASETS)}")
    if recipe.trunk is not None and not recipe.trunk.is_file():
        trunks = sorted(path.stem for path in _shipped_folder().glob("*.safetensors"))
        raise RecipeError(
            f"{origin}: start = {recipe.start!r} is no file: choose from {', '.join(trunks)}, or "
            "give the path of weights that `python -m ase_eqtensor.train.pretraining` wrote"
        )
    _check_numbers(recipe, origin)
    try:
        parse_irreps(network.hidden)
        if missing := {0, 2, 4} - parse_irreps(network.output).keys():
            raise ValueError(f"output = {network.output!r} lacks l = {min(missing)}")
        _check_odd(recipe)
    except ValueError as error:
        raise RecipeError(f"{origin} [network]: {error}") from error


def _check_odd(recipe: Recipe) -> None:
    """Raise ValueError where data sets teach tensors of odd rank that the network has no irreps
    for."""
    odd = recipe.network.odd
    known = parse_irreps(odd, odd=True)
    for name in recipe.datasets:
        forms = [h.form for t in DATASETS[name].targets for h in t.quantity.heads if h.form.odd]
        if missing := {l for form in forms for l in form.irreps} - known.keys():
            raise ValueError(f"odd = {odd!r} lacks l = {min(missing)}, which {name} needs")


def _check_numbers(recipe: Recipe, origin: str) -> None:
    for part, section in {"recipe": recipe, "network": recipe.network}.items():
        where = origin if section is recipe else f"{origin} [{part}]"
        for name in _POSITIVE[part]:
            if not getattr(section, name) > 0:  # not <=, which is false for nan
                raise RecipeError(f"{where}: {name} = {getattr(section, name)} must be positive")
        for name in _NOT_NEGATIVE[part]:
            if not getattr(section, name) >= 0:
                raise RecipeError(
                    f"{where}: {name} = {getattr(section, name)} must not be negative"
                )
    for name, weight in recipe.loss.items():
        if not weight >= 0:
            raise RecipeError(f"{origin} [loss]: {name} = {weight} must not be negative")
    if not 0 < recipe.ema_decay < 1:
        raise RecipeError(f"{origin}: ema_decay = {recipe.ema_decay} must be between 0 and 1")
    if not 0 <= recipe.class_dropout < 1:
        raise RecipeError(
            f"{origin}: class_dropout = {recipe.class_dropout} must be at least 0 and below 1"
        )
    for dataset in recipe.datasets:
        for target in DATASETS[dataset].targets:
            if recipe.weight(target) == 0:
                raise RecipeError(
                    f"{origin} [loss]: {target.name} = 0, so nothing would be learnt from the data "
                    f"set {dataset!r}; give it a weight, or leave the data set out"
                )


def _build(cls, content: dict, origin: str):
    declared = {f.name: f for f in fields(cls)}
    sections = {"network": Architecture} if cls is Recipe else {}
    values = {}
    for name, value in content.items():
        if name not in declared:
            close = difflib.get_close_matches(name, declared, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(declared)}"
            raise RecipeError(f"{origin}: unknown field {name!r}; {hint}")
        if name in sections and isinstance(value, dict):
            values[name] = _build(sections[name], value, f"{origin} [{name}]")
        else:
            values[name] = _checked(name, value, declared[name].type, origin)
    return cls(**values)


def _checked(name: str, value, expected, origin: str):
    if expected is float and type(value) is int:
        return float(value)
    kind = get_origin(expected) or expected  # list of list[str]
    if isinstance(kind, type) and type(value) is not kind:
        raise RecipeError(f"{origin}: {name} = {value!r} must be of type {kind.__name__}")
    if kind is dict:
        return {
            k: _checked(k, v, get_args(expected)[1], f"{origin} [{name}]") for k, v in value.items()
        }
    return value
