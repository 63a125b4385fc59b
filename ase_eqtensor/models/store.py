"""Models on disk: plain tensors (safetensors) with a JSON card beside them.

`NAME.safetensors` holds the weights and the architecture that they belong to, `NAME.json` the card:
the architecture again, level of theory, how many training crystals hold each element, the fold that
each member of the ensemble left out, data, recipe, figures and the hash of the weights file.
`NAME.crystals.npz` lists the crystals of the training data (training_crystals.py). Nothing is ever
unpickled.
"""

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path

import torch
from ase import Atoms
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..errors import ModelError
from ..network.model import Architecture, TensorNetwork
from .training_crystals import TrainingCrystal, find, load_crystals, save_crystals
from .uncertainty import ErrorModel
from .upgrade import upgrade_architecture

DEFAULT_MODEL = "joint-v2"
CARD_FORMAT = 2
CARD_KEYS = {
    "name": str,
    "format": int,
    "sha256": str,
    "architecture": dict,
    "level_of_theory": dict,
    "elements": dict,
    "members": list,
}


@dataclass(frozen=True)
class Model:
    """A trained network and its card. `network` is in evaluation mode; `crystals` is the file with
    the crystals that it was trained on."""

    network: TensorNetwork
    card: dict
    crystals: Path | None = None

    @property
    def name(self) -> str:
        return self.card["name"]

    @property
    def sha256(self) -> str:
        """Hash of the weights file."""
        return self.card["sha256"]

    @property
    def level_of_theory(self) -> dict[str, str]:
        """Property -> first-principles method of the training data."""
        return self.card["level_of_theory"]

    @property
    def folds(self) -> list[int]:
        """The folds that members of the ensemble left out; their crystals can be predicted by
        networks that never saw them."""
        return sorted({member["fold"] for member in self.card["members"]})

    def members_without(self, fold: int) -> list[int]:
        """Indices of the members that left a fold out."""
        return [i for i, member in enumerate(self.card["members"]) if member["fold"] == fold]

    def on(self, device: str, dtype: torch.dtype) -> "Model":
        """The same model on a device and in a precision; the original is left as it is."""
        return replace(self, network=copy.deepcopy(self.network).to(device, dtype))

    def trained_elements(self, target: str) -> frozenset[int]:
        """Atomic numbers that occur in the training data of a target ("stiffness", ...)."""
        return frozenset(self.element_counts(target))

    def element_counts(self, target: str) -> dict[int, float]:
        """Atomic number -> training crystals of a target that hold it, in the mean over members."""
        return {int(z): count for z, count in self.card["elements"].get(target, {}).items()}

    @cached_property
    def error_model(self) -> ErrorModel | None:
        """How far off predictions may be; None if the model was never calibrated."""
        return ErrorModel.from_card(self.card)

    @cached_property
    def training_crystals(self) -> list[TrainingCrystal]:
        """The crystals that at least one member was trained or selected on.

        Raises ModelError if the file with them is missing or damaged.
        """
        path = "of unknown name" if self.crystals is None else self.crystals
        try:
            crystals = load_crystals(self.crystals)
        except (OSError, TypeError, KeyError, ValueError) as error:
            raise ModelError(
                f"the list of training crystals {path} of model {self.name!r} cannot be read: "
                f"{error}. Reinstall, or restore the file."
            ) from error
        return [crystal for crystal in crystals if self.folds != [crystal.fold]]

    def seen(self, atoms: Atoms) -> list[TrainingCrystal]:
        """Training crystals with the formula of `atoms`, the same structures first; see
        `TrainingCrystal` for what they tell. Empty for a crystal new to the model."""
        return find(atoms, self.training_crystals)


def available_models() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(
        p.name.removesuffix(".json") for p in _shipped().iterdir() if p.name.endswith(".json")
    )


def load_model(model: str | Path | None = None) -> Model:
    """Load a shipped model by name (None: the default) or one's own by the path of its weights.

    Raises ModelError, saying what to do, for an unknown name, a missing or damaged file, weights
    whose hash differs from the card's, or weights that do not fit the architecture.
    """
    weights = _find(model)
    card = _read_card(weights.with_suffix(".json"))
    try:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read the weights {weights}: {error}. Reinstall.") from error
    if digest != card["sha256"]:
        raise ModelError(
            f"{weights} is damaged or not the file of its card: sha256 {digest[:12]}... instead of "
            f"{card['sha256'][:12]}.... Reinstall the package or restore both files."
        )
    try:
        with safe_open(weights, "pt") as file:
            built_for = json.loads((file.metadata() or {}).get("architecture", "null"))
        if built_for != card["architecture"]:
            raise ValueError(f"the weights were made for {built_for}")
        architecture = Architecture(**upgrade_architecture(built_for))
        network = TensorNetwork.trained(architecture, load_file(weights))
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"{weights} does not fit the architecture in its card: {error}") from error
    return Model(network, card, _crystals_beside(weights))


def save_model(
    network: TensorNetwork, card: dict, path: Path, crystals: Sequence[TrainingCrystal] = ()
) -> Path:
    """Write `path`.safetensors, `path`.json and `path`.crystals.npz; returns the first.

    `card` needs "level_of_theory", "elements" and "members"; name, architecture, format and hash
    are added.
    """
    weights = path.with_name(path.name.removesuffix(".safetensors") + ".safetensors")
    weights.parent.mkdir(parents=True, exist_ok=True)
    architecture = network.architecture.to_dict()
    tensors = {k: v.contiguous() for k, v in network.state_dict().items()}
    # in the weights file, too, so that the hash vouches for both
    save_file(tensors, weights, metadata={"architecture": json.dumps(architecture)})
    identity = {
        "name": weights.name.removesuffix(".safetensors"),
        "format": CARD_FORMAT,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "architecture": architecture,
    }
    text = json.dumps(identity | card | identity, indent=1, ensure_ascii=False)
    weights.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    save_crystals(_crystals_beside(weights), crystals)
    return weights


def _crystals_beside(weights: Path) -> Path:
    return weights.with_suffix(".crystals.npz")


def _shipped() -> Path:
    return Path(str(resources.files("ase_eqtensor.weights")))


def _find(model: str | Path | None) -> Path:
    name = DEFAULT_MODEL if model is None else str(model)
    weights = Path(name) if name.endswith(".safetensors") else _shipped() / f"{name}.safetensors"
    if weights.is_file():
        return weights
    if name in available_models():
        raise ModelError(f"the weights of {name!r} are missing from the installation: {weights}")
    raise ModelError(
        f"no model {name!r}: choose one of {', '.join(available_models())} or give the path of a "
        ".safetensors file with its .json card beside it"
    )


def _read_card(path: Path) -> dict:
    try:
        card = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:  # bad JSON is a ValueError
        raise ModelError(f"cannot read the model card {path}: {error}") from error
    if lacking := [key for key, kind in CARD_KEYS.items() if not isinstance(card.get(key), kind)]:
        raise ModelError(f"the model card {path} lacks {', '.join(lacking)}, or has it damaged")
    if card["format"] != CARD_FORMAT:
        raise ModelError(
            f"{path} has card format {card['format']}, this version reads {CARD_FORMAT}; "
            "use the package version that wrote it"
        )
    return card
