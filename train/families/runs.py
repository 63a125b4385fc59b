"""Networks trained without a family each."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from ase_eqtensor.models.card import Member
from ase_eqtensor.models.store import load_model, save_model
from ase_eqtensor.network.ensemble import merge
from ase_eqtensor.train.families.definitions import without
from ase_eqtensor.train.fitting.fit import fit
from ase_eqtensor.train.fitting.samples import Sample
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.run import card_of_run
from ase_eqtensor.train.scoring.fingerprints import fingerprints_of
from ase_eqtensor.train.scoring.outputs import Predictions, compare


def execute(recipe: Recipe, family: str, samples: list[Sample], weights: Path) -> None:
    """Train a recipe without a family, and store the network with a card of its own."""
    parts, _ = without(samples, family)
    trained = [sample.record for sample in parts.train]
    scratch = weights.with_suffix(".tmp")
    network = fit(parts, recipe, scratch, resume=True, progress=False).network.cpu()
    member = Member(fold=recipe.fold, seed=recipe.seed)
    card = card_of_run(network, trained, member, recipe.to_dict() | {"without": family}, {})
    save_model(network.requires_grad_(False), card, scratch / weights.name)
    for path in scratch.glob(f"{weights.stem}.*"):
        path.replace(weights.parent / path.name)
    shutil.rmtree(scratch)


def weights_of(folder: Path, recipe: str, family: str, seed: int) -> Path:
    """Where a run leaves its network."""
    return folder / f"{Path(recipe).stem}-{family.replace(' ', '-')}-{seed}.safetensors"


def networks(folder: Path, family: str, recipe: str = "joint") -> list[Path]:
    """The networks of a family that are finished."""
    return sorted(folder.glob(weights_of(folder, recipe, family, 0).name.replace("-0.", "-*.")))


def predictions(
    family: str, weights: Sequence[Path], samples: Sequence[Sample]
) -> dict[str, Predictions]:
    """Predictions by target for the crystals of a family, by the networks that left it out, see
    `execute`; `samples` are those of the whole database."""
    network = merge([load_model(path).network for path in weights])
    parts, held = without(list(samples), family)
    trained = [sample.record for sample in parts.train]
    return compare(network, held, trained, fingerprints_of(network, parts.train))
