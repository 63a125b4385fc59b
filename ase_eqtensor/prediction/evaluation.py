"""Tensors, scalars and error estimates of prepared crystals: network, projection, partner."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..crystal.graph import collate
from ..models.features import Told
from ..models.store import Model
from ..models.uncertainty import Estimate
from ..network.model import Reading
from ..quantities import Density, heads
from .partner import Partner
from .preparation import PreparedCrystal
from .settings import MEASURED, Settings

Tensors = dict[str, np.ndarray]  # quantity -> (B, *form.shape)


class Found(NamedTuple):
    """What is found of B crystals.

    tensors: quantity -> (B, *form.shape). scalars: name -> (B,). estimates: of their errors.
    network: the tensors of the network alone. alone: why these stand although there is a partner.
    """

    tensors: Tensors
    scalars: dict[str, np.ndarray]
    estimates: list[Estimate]
    network: Tensors
    alone: Sequence[dict[str, str]] = ()


def evaluate(
    model: Model, settings: Settings, partner: Partner | None, prepared: Sequence[PreparedCrystal]
) -> Found:
    """What is found of crystals in one pass through the network, at the level that is asked for,
    together with the partner's opinions where there is one."""
    reading, tensors = _read(model, settings, prepared)
    errors = model.error_model
    if errors is None:
        scalars = _scalars(model, tensors, prepared)
        return Found(tensors, scalars, [Estimate({})] * len(prepared), tensors)
    told = Told.of(
        reading,
        errors.folds,
        [crystal.graph.numbers for crystal in prepared],
        [crystal.volume for crystal in prepared],
        [crystal.crystal_system for crystal in prepared],
        tensors,
        errors.fingerprints,
    )
    features = errors.features(told)
    if partner is not None:
        opinions = [crystal.opinion or "" for crystal in prepared]
        combined = partner.partnership.combine(tensors, features, opinions)
        scalars = _scalars(model, combined.tensors, prepared)
        estimates = partner.estimates(errors, told, features, scalars, combined)
        return Found(combined.tensors, scalars, estimates, tensors, combined.alone)
    measured = settings.level == MEASURED
    found = tensors | errors.as_measured(told, features) if measured else tensors
    scalars = _scalars(model, found, prepared)
    return Found(found, scalars, errors.estimate(told, features, scalars, measured), tensors)


def _read(
    model: Model, settings: Settings, prepared: Sequence[PreparedCrystal]
) -> tuple[Reading, Tensors]:
    """What the network says, and the tensors that follow."""
    network = model.network
    with torch.inference_mode():
        batch = collate([crystal.graph for crystal in prepared])
        reading = network.read(batch.to(settings.device))
        mean = {name: value.mean(0).cpu() for name, value in reading.arrays.items()}
        if settings.project:
            groups = [crystal.rotations for crystal in prepared]
            for name, value in mean.items():
                averages = heads()[name].form.group_averages(value.numpy(), groups)
                mean[name] = torch.from_numpy(averages)
        tensors = network.tensors(mean, batch.polar)
    return reading, {name: value.numpy() for name, value in tensors.items()}


def _scalars(
    model: Model, tensors: Mapping[str, np.ndarray], prepared: Sequence[PreparedCrystal]
) -> dict[str, np.ndarray]:
    """Name -> values (B,) of all scalars of all predicted tensors."""
    volume = np.array([crystal.volume for crystal in prepared])
    mass = np.array([crystal.mass for crystal in prepared])
    atoms = np.array([len(crystal.graph.numbers) for crystal in prepared])
    density = Density(mass / volume, atoms / volume)
    scalars: dict[str, np.ndarray] = {}
    for name, quantity in model.quantities.items():
        scalars |= quantity.scalar_values(tensors[name], density)
    return scalars
