"""What first principles say of this very structure: beside the prediction, or in its place."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..models.training_crystals import TrainingCrystal
from ..quantities import QUANTITIES, scalars
from .prediction import Prediction
from .settings import MEASURED

LEVEL = 0.9  # of the bounds that a known value is held against


@dataclass(frozen=True, eq=False)
class Known:
    """The first-principles value of a quantity of a crystal.

    source_id: of the entry of the training data that it comes from.
    tensor: (*shape), as in `QUANTITIES`, in the frame of the crystal asked for.
    scalars: numbers that follow from it, by the names of `Quantity.scalars`, at the density of the
        entry.
    """

    source_id: str
    tensor: np.ndarray
    scalars: dict[str, float]


@dataclass(frozen=True, eq=False)
class Comparison(Known):
    """A known value beside the predicted one.

    relative_error: |P - T| / |T| of the predicted tensor.
    outside: the stated 90 % bounds that do not hold: names of scalars, and that of the quantity
        where the error of the whole tensor is above its bound.
    """

    relative_error: float
    outside: tuple[str, ...]


def compared(prediction: Prediction, seen: Iterable[TrainingCrystal]) -> dict[str, Comparison]:
    """Quantity -> known value, for what is known of the tensors that were predicted.

    `seen` are the training crystals with the formula of the crystal, as `Model.seen` gives them.
    """
    comparisons = {}
    for name, known in _closest(seen):
        if name in prediction.tensors:
            error = QUANTITIES[name].relative_error(prediction.tensors[name], known.tensor)
            outside = _outside(prediction, name, known.scalars, error)
            comparisons[name] = Comparison(**vars(known), relative_error=error, outside=outside)
    return comparisons


def known_values(seen: Iterable[TrainingCrystal], group: np.ndarray) -> dict[str, Known]:
    """Quantity -> known value, also of quantities that are inverses of known ones.

    Args:
        seen: as of `compared`.
        group: (G, 3, 3) orthogonal matrices in the frame of the crystal. Tensors are averaged over
            them, which takes out the rounding that the match of two structures leaves.
    """
    values = {
        name: replace(known, tensor=QUANTITIES[name].project(known.tensor, group))
        for name, known in _closest(seen)
    }
    for name, quantity in QUANTITIES.items():
        if (origin := quantity.inverse_of) and origin.name in values:
            known = values[origin.name]
            inverse = quantity.to_ase(np.linalg.inv(origin.from_ase(known.tensor)))
            values[name] = replace(known, tensor=inverse, scalars={})
    return values


def _closest(seen: Iterable[TrainingCrystal]) -> Iterator[tuple[str, Known]]:
    """Each quantity that an entry of the same structure knows, by the closest that does."""
    told = set()
    for entry in seen:
        if not entry.same_structure or entry.atoms is None:
            continue
        for name, tensor in entry.tensors.items():
            if name not in told:
                told.add(name)
                yield name, Known(entry.source_id, tensor, scalars({name: tensor}, entry.atoms))


def _outside(
    prediction: Prediction, name: str, true: Mapping[str, float], error: float
) -> tuple[str, ...]:
    """What a bound does not contain; bounds of measured values do not speak of first principles."""
    estimate = prediction.uncertainty.get(name)
    if estimate is None or prediction.provenance.get("level") == MEASURED:
        return ()
    outside = [name] if error > estimate.relative_error[LEVEL] else []
    for scalar, interval in estimate.scalars.items():
        low, high = interval.bounds[LEVEL]
        if not low <= true[scalar] <= high:
            outside.append(scalar)
    return tuple(outside)
