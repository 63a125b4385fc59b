"""What measurements find beside predictions: corrections, and bounds of the errors that are left.

The crystals are predicted by members that left their fold out. The rates are those of compositions
of which corrections and bounds know nothing either.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ase_eqtensor.models.card import Calibrated, Ends, Measured
from ase_eqtensor.models.features import CONSTANT
from ase_eqtensor.models.fingerprints import Fingerprints
from ase_eqtensor.models.store import Model
from ase_eqtensor.models.uncertainty import (
    LEVELS,
    RELATIVE,
    bounds_of,
    corrected,
    measured_scales,
    scale_of,
)
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.quantities import QUANTITIES, Density
from ase_eqtensor.train.fitting.samples import prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.measured.tables import Measurement
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.deviations import partition
from ase_eqtensor.train.scoring.outputs import described

FEWEST = 20  # measured crystals, without which nothing is said
PARTS = 10  # of the compositions, for the rates
SLOPE = 3.0  # crystals, with the weight of which the slope with the size is drawn to zero
OUTLIER = 0.05  # of a logarithm, from which on errors count linearly
ITERATIONS = 20


@dataclass(frozen=True, eq=False)
class Crystals:
    """n crystals with measured scalars of a quantity.

    tensors: (n, *form.shape) predicted. features: of their errors, each (n,). density: theirs.
    measured: scalar -> (n,), NaN where it was not measured. formulas: (n,).
    """

    tensors: np.ndarray
    features: dict[str, np.ndarray]
    density: Density
    measured: dict[str, np.ndarray]
    formulas: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Crystals":
        """Those of a mask (n,)."""
        return Crystals(
            self.tensors[chosen],
            {name: column[chosen] for name, column in self.features.items()},
            Density(self.density.mass[chosen], self.density.number[chosen]),
            {name: column[chosen] for name, column in self.measured.items()},
            self.formulas[chosen],
        )

    def deviations(self, name: str, tensors: np.ndarray) -> dict[str, np.ndarray]:
        """Scalar -> ln (measured - least) / (predicted - least), (n,), of tensors of a quantity."""
        predicted = QUANTITIES[name].scalar_values(tensors, self.density)
        least = {s.name: s.least or 0.0 for s in QUANTITIES[name].scalars}
        return {
            scalar: np.log((values - least[scalar]) / (predicted[scalar] - least[scalar]))
            for scalar, values in self.measured.items()
        }


def as_measured(
    crystals: Mapping[str, Crystals], calibrated: Mapping[str, Calibrated]
) -> dict[str, Measured]:
    """The entry "measured" of a model card, of crystals by quantity."""
    entries = {}
    for name, known in crystals.items():
        if name in calibrated and len(known.formulas) >= FEWEST:
            shift, quantiles = _fitted(name, known, calibrated[name])
            rates = _rates(name, known, calibrated[name])
            entries[name] = Measured(shift=shift, quantiles=quantiles, rates=rates)
    return entries


def _fitted(name: str, known: Crystals, entry: Calibrated) -> tuple[dict, dict]:
    """Fields `shift` and `quantiles` of `Measured`."""
    shift = _shift(name, known)
    bare = Measured(shift=shift, quantiles={}, rates={})
    tensors = corrected(name, known.tensors, {name: bare}, known.features)
    left = known.deviations(name, tensors)
    errors = {scalar: values for scalar, values in left.items() if scalar in entry.scales}
    # of whole tensors little is measured: their errors are taken to be those of the scalars
    errors[RELATIVE] = np.nanmax([np.abs(np.expm1(-values)) for values in errors.values()], axis=0)
    quantiles = {}
    for error, values in errors.items():
        ratio = values / scale_of(entry.scales[error], known.features)
        ratio = ratio[np.isfinite(ratio)]
        quantiles[error] = {str(level): _ends(error, level, ratio) for level in LEVELS}
    return shift, quantiles


def _ends(error: str, level: float, ratio: np.ndarray) -> Ends:
    """Symmetric: of so few crystals a few ferroelectrics and doubtful values would make one end."""
    end = float(np.quantile(np.abs(ratio), level, method="higher"))
    return Ends(high={CONSTANT: end}, low={} if error == RELATIVE else {CONSTANT: -end})


def _shift(name: str, known: Crystals) -> dict[str, float]:
    """Constant and slope with the size, by a robust fit to the deviations of the scalars that
    tables show."""
    shown = [s.name for s in QUANTITIES[name].scalars if s.headline and s.name in known.measured]
    deviations = known.deviations(name, known.tensors)
    values = np.concatenate([deviations[scalar] for scalar in shown])
    size = np.tile(known.features[f"{name} size"], len(shown))
    there = np.isfinite(values)
    values, size = values[there], size[there]
    middle = size.mean()
    design = np.stack([np.ones(len(values)), size - middle], axis=1)
    weights, solution = np.ones(len(values)), np.zeros(2)
    for _ in range(ITERATIONS):
        weighted = weights[:, None] * design
        solution = np.linalg.solve(design.T @ weighted + np.diag([0, SLOPE]), weighted.T @ values)
        weights = OUTLIER / np.maximum(np.abs(values - design @ solution), OUTLIER)
    constant, slope = map(float, solution)
    return {CONSTANT: constant - slope * float(middle), f"{name} size": slope}


def _rates(name: str, known: Crystals, entry: Calibrated) -> dict[str, dict[str, float]]:
    parts = partition(known.formulas, PARTS)
    left = {scalar: np.full(len(parts), np.nan) for scalar in known.measured}
    holds = {scalar: np.zeros(len(parts), dtype=bool) for scalar in known.measured}
    values = {scalar: np.full(len(parts), np.nan) for scalar in known.measured}
    quantity = QUANTITIES[name]
    before = quantity.scalar_values(known.tensors, known.density)
    for part in np.unique(parts):
        held = parts == part
        shift, quantiles = _fitted(name, known.rows(~held), entry)
        made = Measured(shift=shift, quantiles=quantiles, rates={})
        asked = known.rows(held)
        tensors = corrected(name, asked.tensors, {name: made}, asked.features)
        after = quantity.scalar_values(tensors, asked.density)
        deviations = asked.deviations(name, tensors)
        for error, scale in measured_scales(entry.scales, made).items():
            if error in known.measured:
                low, high = bounds_of(scale, asked.features)[max(LEVELS)]
                holds[error][held] = (low <= deviations[error]) & (deviations[error] <= high)
        for scalar in known.measured:
            left[scalar][held], values[scalar][held] = deviations[scalar], after[scalar]
    rates = {}
    for scalar, true in known.measured.items():
        there = np.isfinite(left[scalar])
        rates[scalar] = {
            "crystals": int(there.sum()),
            "median_error": float(np.median(np.abs(values[scalar] / true - 1)[there])),
            "uncorrected": float(np.median(np.abs(before[scalar] / true - 1)[there])),
            "coverage": float(holds[scalar][there].mean()),
        }
    return rates


def measured_crystals(
    model: Model,
    records: Sequence[Record],
    measurements: Iterable[Measurement],
    fingerprints: Fingerprints,
) -> dict[str, Crystals]:
    """Quantity -> the crystals of the training data that were measured, with what members that left
    their fold out say of them."""
    found: dict[str, dict[str, dict[str, Measurement]]] = defaultdict(lambda: defaultdict(dict))
    which: dict[str, Record] = {}
    by_key: dict[str, list[Record]] = defaultdict(list)
    for record in (r for r in records if r.fold in model.folds):
        by_key[record.source_id].append(record)
        by_key[record.reduced_formula].append(record)
    for one in measurements:
        alike = (r for r in by_key[one.source_id or one.formula] if one.is_of(r))
        if (match := next(alike, None)) is not None:
            which[match.source_id] = match
            found[one.quantity][match.source_id][one.scalar] = one
    tensors, features = _predicted(model, records, list(which.values()), fingerprints)
    order = list(which)
    crystals = {}
    for name, entries in found.items():
        rows = np.array([order.index(source) for source in entries])
        own = tensors[name][rows]
        scalars = dict.fromkeys(scalar for entry in entries.values() for scalar in entry)
        measured = {
            scalar: np.array(
                [
                    entry[scalar].value(tensor) if scalar in entry else np.nan
                    for entry, tensor in zip(entries.values(), own)
                ]
            )
            for scalar in scalars
        }
        crystals[name] = Crystals(
            own,
            {feature: column[rows] for feature, column in features.items()},
            Density.of([which[source].atoms for source in entries]),
            measured,
            np.array([which[source].reduced_formula for source in entries]),
        )
    return crystals


def _predicted(
    model: Model, records: Sequence[Record], asked: list[Record], fingerprints: Fingerprints
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Tensors by quantity, (n, *form.shape), and features of the records that are asked for."""
    tensors: dict[str, np.ndarray] = {}
    features: dict[str, np.ndarray] = {}
    datasets = model.card.recipe["datasets"]
    for fold in model.folds:
        rows = [i for i, record in enumerate(asked) if record.fold == fold]
        if not rows:
            continue
        members = model.members_without(fold)
        samples = prepare([asked[i] for i in rows], model.network.architecture.cutoff, workers=1)
        trained = [r for r in split(records, fold).train if r.dataset in datasets]
        own = fingerprints.select(members)
        told, described_by = described(select(model.network, members), samples, trained, own)
        for kind, columns in ((tensors, told.tensors), (features, described_by)):
            for name, values in columns.items():
                whole = kind.setdefault(name, np.full((len(asked), *values.shape[1:]), np.nan))
                whole[rows] = values
    return tensors, features
