"""Where a training begins: a network that knows no tensor yet but the size of the usual ones, how
far the neighbours are in crystals at rest, of what site symmetry their surroundings tell, and what
a potential says of atoms."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy, huber_loss

from ase_eqtensor.errors import DataError
from ase_eqtensor.network.local_classes import LocalClasses, invariants
from ase_eqtensor.network.model import Architecture, TensorNetwork
from ase_eqtensor.network.rest import RestDistance
from ase_eqtensor.network.scaling import Scaling
from ase_eqtensor.network.surroundings import Surroundings
from ase_eqtensor.quantities import Head, heads
from ase_eqtensor.train.fitting.noise import shaken
from ase_eqtensor.train.fitting.samples import Sample, loader, training_loader
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.targets import DATASETS, Target

RATE, DECAY, CLIP = 3e-3, 0.1, 1.0  # of fitting the distances at rest
CLASS_STEPS, CLASS_ATOMS, CLASS_RATE = 1500, 1024, 5e-3  # of fitting classes to surroundings
OUTLIER = 0.01  # of a logarithm, from which on errors count linearly: not all crystals are at rest


def untrained(samples: Sequence[Sample], recipe: Recipe, progress: bool = False) -> TensorNetwork:
    """The network of a recipe for training on `samples`, drawn with torch's generator.

    `progress` shows a progress bar.
    """
    taught = [target for name in recipe.datasets for target in DATASETS[name].targets]
    architecture = replace(recipe.network, heads=trained_heads(taught))
    rest = None
    if architecture.densities:
        rest = RestDistance()
        at_rest = [sample for sample in samples if sample.record.at_rest]
        teach_rest(rest, at_rest, recipe, progress)
    reference = references(samples, architecture, rest)
    network = TensorNetwork(replace(architecture, reference=reference))
    if rest is not None:
        network.rest = rest
    if recipe.trunk is not None:
        begin(network, recipe.trunk)
    if architecture.class_mode == "local":
        teach_classes(network.local, [s for s in samples if s.record.at_rest], recipe, progress)
    return network


def begin(network: TensorNetwork, trunk: Path) -> None:
    """Give `network` the weights of train/pretraining/, as far as they go.

    Raises DataError if they are of a network of other widths.
    """
    weights = load_file(trunk)
    own = network.state_dict()
    if unlike := [n for n, w in weights.items() if n not in own or own[n].shape != w.shape]:
        raise DataError(
            f"{trunk}: {unlike[0]} does not fit the network of the recipe: pretrain with the same "
            "[network], or leave out start"
        )
    network.load_state_dict(weights, strict=False)


def teach_classes(
    local: LocalClasses, samples: Sequence[Sample], recipe: Recipe, progress: bool
) -> None:
    """Fit `local` to the site symmetry of crystals at rest, as they are and shaken as the recipe
    shakes them; without any crystal it stays as it is."""
    if not samples:
        return
    random = torch.Generator().manual_seed(recipe.seed)
    batches = [batch.graph for batch in loader(samples, 64)]
    moved = [shaken(graph, recipe.noise, random) for graph in batches] if recipe.noise else []
    told = torch.cat([invariants(graph, local.cutoff) for graph in batches + moved]).float()
    labels = torch.cat([graph.site_class for graph in batches + batches[: len(moved)]])
    local.middle.copy_(told.mean(0).expand_as(local.middle))
    local.width.copy_(told.std(0).clamp(min=1e-6).expand_as(local.width))
    local.classes.requires_grad_(True)
    optimizer = torch.optim.Adam(local.classes.parameters(), CLASS_RATE)
    for _ in track(range(CLASS_STEPS), "classes of surroundings", disable=not progress):
        chosen = torch.randint(len(told), (CLASS_ATOMS,), generator=random)
        loss = cross_entropy(local.logits(told[chosen])[:, 0], labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    local.requires_grad_(False)


def teach_rest(
    rest: RestDistance, samples: Sequence[Sample], recipe: Recipe, progress: bool
) -> None:
    """Fit `rest` to crystals at rest, for the epochs and with the batches of a recipe; without any
    it stays as it is."""
    if not samples:
        return
    batches = training_loader(samples, recipe.batch_size, recipe.seed)
    rest.requires_grad_(True)
    optimizer = torch.optim.AdamW(rest.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=recipe.rest_epochs * len(batches), pct_start=0.1
    )
    for _ in track(range(recipe.rest_epochs), "distances at rest", disable=not progress):
        for batch in batches:
            surroundings = Surroundings.of(batch.graph, recipe.network.cutoff)
            at_rest = rest(batch.graph, surroundings)[0]
            error = huber_loss(at_rest, surroundings.distance, delta=OUTLIER)
            optimizer.zero_grad()
            (error / OUTLIER).backward()
            torch.nn.utils.clip_grad_norm_(rest.parameters(), CLIP)
            optimizer.step()
            schedule.step()
    rest.requires_grad_(False)


def trained_heads(taught: Sequence[Target]) -> list[str]:
    """Names of the heads that targets need, in the order in which quantities declare them."""
    needed = {head.name for target in taught for head in target.quantity.heads}
    return [name for name in heads() if name in needed]


def references(
    samples: Sequence[Sample], architecture: Architecture, rest: RestDistance | None
) -> dict[str, list[list[float]]]:
    """Head -> isotropic components about which its arrays vary: medians over the data, in one row;
    of densities, what is left when the scaling is taken out, if there is `rest`.

    These go into the architecture, so that a prediction never depends on a user's data set.
    """
    rows = {}
    scalings = []
    if rest is not None:
        scalings = [Scaling.of(b.graph, architecture.cutoff, rest) for b in loader(samples, 64)]
    for name, head in heads().items():
        if not head.form.scalars:
            continue  # it has no isotropic part
        scale = np.ones(len(samples))
        if scalings and head.density:
            scale = torch.cat([s.logarithm(head)[0] for s in scalings]).neg().exp().numpy()
        parts = [
            _isotropic(head, array) * factor
            for s, factor in zip(samples, scale)
            if (array := head.of(s.values)) is not None
        ]
        if parts:
            middle = np.median(parts, axis=0)
            if head.logarithm:
                middle = np.log(middle) * _traces(head)
            rows[name] = [middle.tolist()]
    return rows


def _isotropic(head: Head, array: np.ndarray) -> np.ndarray:
    """Isotropic components of a head's array (*form.shape); its isotropic eigenvalues, if the head
    is a logarithm."""
    components = head.form.components(array)[: head.form.scalars]
    return np.maximum(components / _traces(head), head.floor) if head.logarithm else components


def _traces(head: Head) -> np.ndarray:
    """Traces of the isotropic basis matrices: roots of the multiplicities of their eigenvalues."""
    return np.einsum("iaa->i", head.form.basis().numpy()[: head.form.scalars])
