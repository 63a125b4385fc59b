"""What the error of a prediction may depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase.data import covalent_radii

from ..crystal.chemistry import CHEMICAL_CLASSES, chemical_class, holds_soft_ions, is_d0_oxide
from ..crystal.symmetry import CRYSTAL_SYSTEMS
from ..network.model import Reading
from ..quantities import QUANTITIES, Head, heads
from .card import DISTANCE
from .fingerprints import Fingerprints

CONSTANT, STRAIN, SOFT_IONS = "constant", "strain", "soft ions"
D0_OXIDES = "d0 oxides"
FLOOR = 1e-3  # of spreads, so that members which agree have a finite logarithm
SMALL = 0.03  # the same for anisotropies
NOTHING = 1e-6  # the same for tensors, which symmetry may forbid
AT_REST = 0.02  # the same for strains; below, other errors are larger
TRANSITION_METALS = (*range(21, 30), *range(39, 48), *range(72, 80))  # groups 3 to 11


@dataclass(frozen=True)
class Told:
    """B crystals and what the M members of a network say of them.

    arrays: head -> (M, B, n, m), see `Reading`; heads that are no tensors give no feature.
    folds: the fold that each member left out, if any. Disagreement is measured among members that
        learnt from the same crystals, as it can be for crystals of the training data.
    numbers, volumes, systems: atomic numbers (atoms,), volume (Å^3) and crystal system of each
        crystal's cell.
    tensors: quantity -> (B, *form.shape), the prediction in the network's form.
    strain: (B,) mean of the members', see `Reading`; None where the network does not know it.
    distances: quantity -> (B,), see `Fingerprints.distances`.
    """

    arrays: Mapping[str, np.ndarray]
    folds: Sequence[int | None]
    numbers: Sequence[np.ndarray]
    volumes: Sequence[float]
    systems: Sequence[str]
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    strain: np.ndarray | None = None
    distances: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        reading: Reading,
        folds: Sequence[int | None],
        numbers: Sequence[np.ndarray],
        volumes: Sequence[float],
        systems: Sequence[str],
        tensors: Mapping[str, np.ndarray],
        fingerprints: Fingerprints | None = None,
    ) -> "Told":
        """What `reading` tells, and how far the crystals are from those with `fingerprints`."""
        strain = None if reading.strain is None else reading.strain.mean(0).cpu().numpy()
        distances = {}
        if fingerprints is not None:
            distances = fingerprints.distances(reading.invariants.cpu().numpy())
        arrays = {name: values.cpu().numpy() for name, values in reading.arrays.items()}
        return cls(arrays, folds, numbers, volumes, systems, tensors, strain, distances)


def error_features(told: Told, counts: Mapping[str, Mapping[int, float]]) -> dict[str, np.ndarray]:
    """What the scale of an error, and its quantiles, may depend on, each (B,).

    Args:
        told: crystals and predictions.
        counts: quantity -> atomic number -> training crystals that hold it.

    Returns:
        "constant", one;
        of the composition: the name of each chemical class, 1 or 0; "soft ions" and
        "d0 oxides", 1 or 0;
        "transition metals", their share of atoms; "packing", the logarithm of the share of the
        volume that spheres with covalent radii fill; for every quantity "QUANTITY rarity", minus
        the logarithm of the count of the rarest element, and "QUANTITY novelty", 1 for an element
        without a training crystal, 1 / (1 + count) otherwise;
        of the geometry: the name of each crystal system, 1 or 0; "strain", the logarithm of the
        strain that the network sees, with 2 % added;
        of the prediction: for every head "HEAD spread", logarithm of the members' root mean square
        distance from the mean of their fold, if any has two, and "HEAD anisotropy", that of the
        mean's anisotropic part; where the head has isotropic parts "HEAD level", the mean's trace
        over its dimension, and "HEAD shear", the level of the second part alone; for every quantity
        "QUANTITY size", the logarithm of the tensor's norm, and "QUANTITY distance", that of the
        distance from the training crystals.
    """
    classes = np.array([chemical_class(z) for z in told.numbers])
    systems = np.asarray(told.systems)
    spheres = [4 / 3 * np.pi * (covalent_radii[z] ** 3).sum() for z in told.numbers]
    features = {
        CONSTANT: np.ones(len(told.numbers)),
        "packing": np.log(np.array(spheres) / np.asarray(told.volumes)),
        "transition metals": np.array([np.isin(z, TRANSITION_METALS).mean() for z in told.numbers]),
    }
    soft = [holds_soft_ions(z) for z in told.numbers]
    features[SOFT_IONS] = np.array(soft, dtype=float)
    features[D0_OXIDES] = np.array([is_d0_oxide(z) for z in told.numbers], dtype=float)
    features |= {name: (classes == name).astype(float) for name in CHEMICAL_CLASSES}
    features |= {name: (systems == name).astype(float) for name in CRYSTAL_SYSTEMS}
    if told.strain is not None:
        features[STRAIN] = np.log(np.abs(told.strain) + AT_REST)
    declared = heads()
    for name, values in told.arrays.items():
        if len(declared[name].form.shape) == 2:
            features |= _head_features(declared[name], values, np.asarray(told.folds))
    for name, count in counts.items():
        rarest = np.array([min(count.get(int(z), 0) for z in set(n)) for n in told.numbers])
        features[f"{name} rarity"] = -np.log1p(rarest)
        features[f"{name} novelty"] = 1 / (1 + rarest)
    features |= sizes(told.tensors)
    return features | {name + DISTANCE: values for name, values in told.distances.items()}


def sizes(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """ "QUANTITY size", the logarithm (B,) of the norm of tensors (B, n, m) by quantity."""
    return {
        f"{name} size": np.log(np.maximum(np.linalg.norm(values, axis=(1, 2)), NOTHING))
        for name, values in tensors.items()
        if len(QUANTITIES[name].form.shape) == 2
    }


def _head_features(head: Head, values: np.ndarray, folds: np.ndarray) -> dict[str, np.ndarray]:
    """Features of a head's arrays (M, B, n, m), each (B,)."""
    mean = values.mean(0)
    isotropic = head.form.components(mean)[:, : head.form.scalars]
    anisotropic = np.maximum((mean**2).sum((1, 2)) - (isotropic**2).sum(1), 0)
    features = {f"{head.name} anisotropy": np.log(np.sqrt(anisotropic) + SMALL)}
    if len(set(folds.tolist())) < len(folds):
        features[f"{head.name} spread"] = np.log(_spread(values, folds) + FLOOR)
    if head.form.scalars:
        features[f"{head.name} level"] = np.einsum("bii->b", mean) / mean.shape[-1]
    if head.form.scalars > 1:
        features[f"{head.name} shear"] = isotropic[:, 1] / 5**0.5
    return features


def _spread(values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Root mean square distance (B,) of members (M, B, n, n) from the mean of their fold, with
    Bessel's correction; some fold has two members."""
    squares, freedom = np.zeros(values.shape[1]), 0
    for fold in np.unique(folds):
        members = values[folds == fold]
        squares += ((members - members.mean(0)) ** 2).sum((0, 2, 3))
        freedom += len(members) - 1
    return np.sqrt(squares / freedom)


def hinges(
    name: str, features: Mapping[str, np.ndarray], knots: Sequence[float]
) -> dict[str, np.ndarray]:
    """max(0, s - k), (B,), for each knot k of the logarithmic size s of a quantity, see
    `error_features`; with it they make a continuous function with another slope in each part."""
    return {
        f"{name} size above {i}": np.maximum(0, features[f"{name} size"] - knot)
        for i, knot in enumerate(knots)
    }
