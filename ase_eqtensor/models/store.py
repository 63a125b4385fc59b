"""Models on disk: plain tensors (safetensors) with a JSON card beside them.

`NAME.safetensors` holds the weights and the architecture that they belong to, `NAME.json` the card
(card.py), with the hash of the weights file, `NAME.crystals.npz` lists the crystals of the training
data (training_crystals.py), and `NAME.fingerprints.npz` says how the network sees them
(fingerprints.py). `NAME.POTENTIAL.partner.json` says what a potential is worth beside the model
(partner_card.py). Nothing is ever unpickled.
"""

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import torch
from ase import Atoms
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ..crystal.formula import composition
from ..crystal.symmetry import DEFAULT_SYMPREC
from ..errors import ModelError, did_you_mean
from ..network.model import Architecture, TensorNetwork
from ..quantities import Quantity, offered
from .card import Card, read_card, write_card
from .fingerprints import Fingerprints
from .training_crystals import TrainingCrystal, find, load_crystals, save_crystals, scalars_of
from .uncertainty import ErrorModel
from .upgrade import CARD_FORMAT, upgrade_architecture

DEFAULT_MODEL = "joint-v8"
FOLDS = "-folds"  # after the name of a student: those of each fold, see `held_out`
PARTNER = ".partner.json"  # how files end that say what a potential is worth beside a model


@dataclass(frozen=True)
class Model:
    """A trained network and its card. `network` is in evaluation mode; `weights` is the file that
    it was loaded from, beside which lie those of the crystals that it was trained on."""

    network: TensorNetwork
    card: Card
    weights: Path | None = None

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def crystals(self) -> Path | None:
        """The file of the crystals that it was trained on."""
        return self.weights and _crystals_beside(self.weights)

    @property
    def sha256(self) -> str:
        """Hash of the weights file."""
        return self.card.sha256

    @property
    def level_of_theory(self) -> dict[str, str]:
        """Quantity -> first-principles method of the training data."""
        return self.card.level_of_theory

    @property
    def quantities(self) -> dict[str, Quantity]:
        """What the model predicts for users, by name."""
        heads = self.network.architecture.heads
        return {
            name: quantity
            for name, quantity in offered().items()
            if all(head.name in heads for head in quantity.heads)
        }

    @property
    def folds(self) -> list[int]:
        """The folds that members of the ensemble left out; their crystals can be predicted by
        networks that never saw them. None of a student, see `held_out`."""
        return self.card.folds

    def members_without(self, fold: int) -> list[int]:
        """Indices of the members that left a fold out."""
        return [i for i, member in enumerate(self.card.members) if member.fold == fold]

    def on(self, device: str, dtype: torch.dtype) -> "Model":
        """The same model on a device and in a precision; the original is left as it is."""
        return replace(self, network=copy.deepcopy(self.network).to(device, dtype))

    def trained_elements(self, quantity: str) -> frozenset[int]:
        """Atomic numbers that occur in the training data of a quantity, by its name."""
        return frozenset(self.card.elements.get(quantity, {}))

    def borrowed_elements(self, quantity: str) -> frozenset[int]:
        """Those of them that only a potential's labels know, first principles do not."""
        counts = self.card.elements.get(quantity, {})
        return frozenset(z for z, count in counts.items() if count == 0)

    @cached_property
    def error_model(self) -> ErrorModel | None:
        """How far off predictions may be; None if the model was never calibrated.

        Raises ModelError if the file with the fingerprints of the training crystals is damaged, or
        missing although the calibration needs it.
        """
        fingerprints = None
        path = self.weights and _fingerprints_beside(self.weights)
        if path and path.is_file():
            try:
                fingerprints = Fingerprints.load(path)
            except (OSError, TypeError, KeyError, ValueError) as error:
                raise ModelError(
                    f"the fingerprints {path} of model {self.name!r} cannot be read: {error}. "
                    "Reinstall, or restore the file."
                ) from error
        elif self.card.needs_fingerprints:
            raise ModelError(
                f"the fingerprints of the training crystals of model {self.name!r} are missing "
                f"({path}): reinstall, or load it from the file that `save_model` wrote."
            )
        return ErrorModel.of(self.card, fingerprints)

    @cached_property
    def training_crystals(self) -> list[TrainingCrystal]:
        """The crystals that at least one member was trained or selected on.

        Raises ModelError if the file with them is missing or damaged.
        """
        if self.crystals is None:
            raise ModelError(
                f"there is no list of the training crystals of model {self.name!r}: load it from "
                "the file that `save_model` wrote"
            )
        try:
            crystals = load_crystals(self.crystals)
        except (OSError, TypeError, KeyError, ValueError) as error:
            raise ModelError(
                f"the list of training crystals {self.crystals} of model {self.name!r} cannot be "
                f"read: {error}. Reinstall, or restore the file."
            ) from error
        return [crystal for crystal in crystals if self.folds != [crystal.fold]]

    @cached_property
    def training_scalars(self) -> dict[str, np.ndarray]:
        """Name of each scalar -> its values (N,) in the training data. ModelError as above."""
        return scalars_of(self.training_crystals)

    @cached_property
    def known_insulators(self) -> frozenset[tuple[tuple[int, int], ...]]:
        """Compositions, see `composition`, of the training crystals with a tensor that metals do
        not have; empty without the list of training crystals."""
        try:
            crystals = self.training_crystals
        except ModelError:
            return frozenset()
        insulators_only = {n for n, q in self.quantities.items() if q.insulators_only}
        return frozenset(
            composition(crystal.atoms.numbers)
            for crystal in crystals
            if crystal.atoms is not None and insulators_only & crystal.tensors.keys()
        )

    @property
    def partners(self) -> dict[str, Path]:
        """Name of a potential -> the file beside the weights that says what it is worth."""
        if self.weights is None:
            return {}
        start = f"{self.weights.stem}."
        files = sorted(self.weights.parent.glob(f"{start}*{PARTNER}"))
        return {path.name.removeprefix(start).removesuffix(PARTNER): path for path in files}

    def seen(self, atoms: Atoms, symprec: float = DEFAULT_SYMPREC) -> list[TrainingCrystal]:
        """Training crystals with the formula of `atoms`, the same structures first; see
        `TrainingCrystal` for what they tell. Empty for a crystal new to the model.

        `symprec` is the tolerance (Å) within which the symmetry of `atoms` is searched."""
        return find(atoms, self.training_crystals, symprec)


def held_out(model: Model) -> Model:
    """The networks by which a model is judged: its own, each of which left a fold out, or, of a
    student that learnt from all of these, the students of each fold, in the model NAME-folds.

    Raises ModelError if there is none beside the student's weights.
    """
    if model.folds:
        return model
    if model.weights is None:
        raise ModelError(f"the networks of model {model.name!r} left no fold out to be judged on")
    return load_model(model.weights.with_name(f"{model.weights.stem}{FOLDS}.safetensors"))


def available_models() -> list[str]:
    """Names of the models that come with the package."""
    cards = (path.name for path in shipped_folder().iterdir() if path.suffix == ".json")
    return sorted(name.removesuffix(".json") for name in cards if not name.endswith(PARTNER))


def shipped_folder() -> Path:
    """Where the models that come with the package lie."""
    return Path(str(resources.files("ase_eqtensor.weights")))


def load_model(model: str | Path | None = None) -> Model:
    """Load a shipped model by name (None: the default) or one's own by the path of its weights.

    Raises ModelError, saying what to do, for an unknown name, a missing or damaged file, weights
    whose hash differs from the card's, or weights that do not fit the architecture.
    """
    weights = _find(model)
    card = read_card(weights.with_suffix(".json"))
    try:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read the weights {weights}: {error}. Reinstall.") from error
    if digest != card.sha256:
        raise ModelError(
            f"{weights} is damaged or not the file of its card: sha256 {digest[:12]}... instead of "
            f"{card.sha256[:12]}.... Reinstall the package or restore both files."
        )
    try:
        with safe_open(weights, "pt") as file:
            built_for = json.loads((file.metadata() or {}).get("architecture", "null"))
        if Architecture(**upgrade_architecture(built_for)) != card.architecture:
            raise ValueError(f"the weights were made for {built_for}")
        network = TensorNetwork.trained(card.architecture, load_file(weights))
    except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(f"{weights} does not fit the architecture in its card: {error}") from error
    return Model(network, card, weights)


def save_model(
    network: TensorNetwork,
    card: Card,
    path: Path,
    crystals: Sequence[TrainingCrystal] = (),
    fingerprints: Fingerprints | None = None,
) -> Path:
    """Write `path`.safetensors, `path`.json, `path`.crystals.npz and, if there are `fingerprints`,
    `path`.fingerprints.npz; returns the first.

    Name, architecture, format and hash of the card are set here; the argument is left alone.
    """
    weights = path.with_name(path.name.removesuffix(".safetensors") + ".safetensors")
    weights.parent.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.contiguous() for k, v in network.state_dict().items()}
    # in the weights file, too, so that the hash vouches for both
    architecture = json.dumps(network.architecture.to_dict())
    save_file(tensors, weights, metadata={"architecture": architecture})
    card = msgspec.structs.replace(
        card,
        name=weights.name.removesuffix(".safetensors"),
        format=CARD_FORMAT,
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        architecture=network.architecture,
    )
    write_card(card, weights.with_suffix(".json"))
    save_crystals(_crystals_beside(weights), crystals)
    if fingerprints is not None:
        fingerprints.save(_fingerprints_beside(weights))
    return weights


def _crystals_beside(weights: Path) -> Path:
    return weights.with_suffix(".crystals.npz")


def _fingerprints_beside(weights: Path) -> Path:
    """The file of the fingerprints that belong to the weights."""
    return weights.with_suffix(".fingerprints.npz")


def _find(model: str | Path | None) -> Path:
    name = DEFAULT_MODEL if model is None else str(model)
    shipped = shipped_folder() / f"{name}.safetensors"
    weights = Path(name) if name.endswith(".safetensors") else shipped
    if weights.is_file():
        return weights
    if name in available_models():
        raise ModelError(f"the weights of {name!r} are missing from the installation: {weights}")
    if name.endswith(".safetensors"):
        raise ModelError(
            f"there is no file {name}: give the path of weights with their .json card beside them"
        )
    raise ModelError(
        f"no model {name!r}{did_you_mean(name, available_models())}: choose one of "
        f"{', '.join(available_models())} or give the path of a .safetensors file with its .json "
        "card beside it"
    )
