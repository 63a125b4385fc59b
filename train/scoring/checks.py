"""How well error bounds hold for crystals whose own errors did not make them.

The bounds of each part of the compositions are made again from the others, and those of each family
that was left out of training without anything of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ase_eqtensor.crystal.chemistry import CHEMICAL_CLASSES
from ase_eqtensor.crystal.symmetry import CRYSTAL_SYSTEMS
from ase_eqtensor.models.card import ErrorScale
from ase_eqtensor.models.features import hinges
from ase_eqtensor.models.uncertainty import LEVELS, RELATIVE, bounds_of, scale_of
from ase_eqtensor.train.scoring.calibration import (
    FLAGGED,
    NONE,
    calibrate,
    fit_scale,
    of_kind,
    strain_alone,
    tails,
    with_families,
)
from ase_eqtensor.train.scoring.deviations import Deviations, Known

BAD = 3  # times the median error: an error that a flag should announce


class Judge:
    """Bounds and flags from some of the known errors, for others."""

    def __init__(self, known: Known, families: Mapping[str, Known]):
        self.known, self.families = known, families
        self.entries = calibrate(known, families)

    def scale(self, name: str, error: str, asked: Deviations, family: str = "") -> ErrorScale:
        """The scale without the compositions that are asked for, and without a family."""
        others = [of_kind(k, name, error) for f, k in self.families.items() if f != family]
        everything = with_families(self.known[name][error], others)
        rest = everything.rows(~np.isin(everything.formulas, asked.formulas))
        return fit_scale(name, error, rest, self.knots(name), strain_alone(name, self.entries))

    def knots(self, name: str) -> list[float]:
        return self.entries[name].knots

    def bounds(
        self, name: str, error: str, asked: Deviations, family: str = ""
    ) -> dict[float, tuple[np.ndarray, np.ndarray]]:
        """{level: low (n,), high (n,)} for n errors."""
        features = asked.features | hinges(name, asked.features, self.knots(name))
        return bounds_of(self.scale(name, error, asked, family), features)

    def flagged(self, name: str, asked: Deviations, family: str = "") -> np.ndarray:
        """Whether crystals (n,) would be flagged."""
        scale = self.scale(name, RELATIVE, asked, family)
        known = self.known[name][RELATIVE]
        usual = known.rows(known.ordinary & ~np.isin(known.formulas, asked.formulas))
        above = np.quantile(scale_of(scale, usual.features), 1 - FLAGGED)
        return scale_of(scale, asked.features) > above


def check(known: Known, families: Mapping[str, Known] = NONE) -> dict[str, dict]:
    """The entry "calibration" of a model card: how often bounds from other compositions hold, for
    the ordinary crystals.

    Returns, for each quantity and error, "coverage" {level: share}, the same "by_class",
    "by_system" and "by_size" (thirds of the predicted tensor's norm), "crystals" in each of these,
    "width" and "median_width" {level: mean or median width over that of constant bounds of each
    chemical class}, "large" {level: share, "crystals": number} for true tensors with a scalar that
    is hard to predict (eps_total above 25), and "by_family" {family: {level: share, "crystals":
    number}} for families that were left out of training, and for each of which nothing of it made
    the bounds; for the quantity "flagged": share, mean relative error, that of the others, and
    "by_family" {family: {"share", "bad": number of crystals with more than three times the median
    error, "caught": share of them that is flagged}}.
    """
    judge = Judge(known, families)
    report: dict[str, dict] = {name: {} for name in known}
    for name, errors in known.items():
        report[name] = {error: _checked(name, error, judge) for error in errors}
        report[name]["flagged"] = _flagged(name, judge)
    return report


def _checked(name: str, error: str, judge: Judge) -> dict:
    """How often bounds of an error hold, each from the crystals of the other parts."""
    known = judge.known[name][error]
    ordinary = known.rows(known.ordinary)
    classes = _group(ordinary, CHEMICAL_CLASSES)
    ends = {level: np.empty((2, len(ordinary.values))) for level in LEVELS}
    constant = {level: np.empty((2, len(ordinary.values))) for level in LEVELS}
    for held in _left_out(ordinary):
        for level, pair in judge.bounds(name, error, ordinary.rows(held)).items():
            ends[level][:, held] = pair
    for level in LEVELS:
        for group in set(classes):
            own = classes == group
            low, high = tails(name, error, level)
            values = ordinary.values[own]
            constant[level][0, own] = 0 if low is None else np.quantile(values, low)
            constant[level][1, own] = np.quantile(values, high)
    sizes = ordinary.features[f"{name} size"]
    groups = {
        "by_class": classes,
        "by_system": _group(ordinary, CRYSTAL_SYSTEMS),
        "by_size": np.array(["small", "middle", "large"])[
            np.searchsorted(judge.knots(name), sizes)
        ],
    }
    holds = _holds(ordinary, ends)
    return {
        "coverage": _shares(holds, slice(None)),
        **{
            kind: {str(g): _shares(holds, labels == g) for g in np.unique(labels)}
            for kind, labels in groups.items()
        },
        "crystals": {
            str(g): int((labels == g).sum())
            for labels in groups.values()
            for g in np.unique(labels)
        },
        "large": _shares(holds, ordinary.large) | {"crystals": int(ordinary.large.sum())}
        if ordinary.large.any()
        else {},
        "by_family": {
            family: _shares(_holds(own, judge.bounds(name, error, own, family)), slice(None))
            | {"crystals": len(own.values)}
            for family, known in judge.families.items()
            if (own := of_kind(known, name, error)) is not None
        },
        "width": _widths(ends, constant, np.mean),
        "median_width": _widths(ends, constant, np.median),
    }


def _flagged(name: str, judge: Judge) -> dict:
    """Share of the crystals that would be flagged, and the mean errors of these and the others;
    which of those with large errors would be, in families."""
    known = judge.known[name][RELATIVE]
    ordinary = known.rows(known.ordinary)
    flagged = np.zeros(len(ordinary.values), dtype=bool)
    for held in _left_out(ordinary):
        flagged[held] = judge.flagged(name, ordinary.rows(held))
    error = ordinary.values
    by_family = {}
    for family, left in judge.families.items():
        if (own := of_kind(left, name, RELATIVE)) is not None:
            noticed, bad = judge.flagged(name, own, family), own.values > BAD * np.median(error)
            caught = float(noticed[bad].mean()) if bad.any() else None
            by_family[family] = {
                "share": float(noticed.mean()),
                "bad": int(bad.sum()),
                "caught": caught,
            }
    return {
        "share": float(flagged.mean()),
        "mean_relative": _mean(error[flagged]),
        "mean_relative_of_the_others": _mean(error[~flagged]),
        "by_family": by_family,
    }


def _left_out(known: Deviations) -> Iterator[np.ndarray]:
    """Masks (n,) of the crystals of each part."""
    parts = known.parts
    yield from (parts == part for part in np.unique(parts))


def _holds(known: Deviations, ends: Mapping) -> dict[float, np.ndarray]:
    return {
        level: (low <= known.values) & (known.values <= high) for level, (low, high) in ends.items()
    }


def _group(known: Deviations, names: Sequence[str]) -> np.ndarray:
    """(n,) the one of the groups that each crystal belongs to."""
    return np.array(names)[np.argmax([known.features[name] for name in names], axis=0)]


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _shares(holds: Mapping[float, np.ndarray], chosen) -> dict[str, float]:
    return {str(level): float(held[chosen].mean()) for level, held in holds.items()}


def _widths(ends: Mapping, constant: Mapping, statistic: Callable) -> dict[str, float]:
    return {
        str(level): float(
            statistic(high - low) / statistic(constant[level][1] - constant[level][0])
        )
        for level, (low, high) in ends.items()
    }
