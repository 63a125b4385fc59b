"""Predictions for other programs: as CSV and as JSON.

Numbers are rounded to six significant digits, entries of a tensor also to a millionth of its
largest one, so that what symmetry forbids is 0; files of `--output` keep all digits. Names state
units: those of ASE in `elasticity_tensor_ev_per_ang3`, those that people expect in
`elasticity_tensor_gpa` and its entries c11_gpa, ..., c66_gpa.
"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from ..crystal.formula import reduced_formula
from ..prediction.known import compared
from ..prediction.predictor import Labelled, Predictor
from ..quantities import QUANTITIES, Quantity
from .app import with_options
from .predicted import told_flags, told_training, uncalibrated

DIGITS = 6
LEAST = 1e-12  # what is smaller is rounding of a zero, such as the birefringence of a cubic crystal


def print_csv(
    predictor: Predictor, predicted: list[Labelled], quantities: Sequence[Quantity]
) -> None:
    """All scalars of the quantities and all independent entries of their tensors; of scalars that
    the model has errors of the ends of the 90 % intervals, of the headline ones what is known from
    first principles."""
    model = predictor.model
    calibrated = {name for entry in model.card.uncertainty.values() for name in entry.scales}
    rows = []
    for label, atoms, prediction in predicted:
        seen = model.seen(atoms, predictor.symprec)
        known = compared(prediction, seen)
        true = {name: x for value in known.values() for name, x in value.scalars.items()}
        row: dict[str, object] = {"source": label, "formula": reduced_formula(atoms)}
        for quantity in quantities:
            for scalar in quantity.scalars:
                name = scalar.name
                row[name] = prediction.scalars.get(name, "")
                if name in calibrated:
                    low, high = prediction.interval(name) or ("", "")
                    row |= {f"{name}_low_90": low, f"{name}_high_90": high}
                if scalar.headline:
                    row[f"{name}_known"] = true.get(name, "")
            row |= _entries(quantity, prediction.tensors)
        told = told_flags(prediction, {flag: flag for flag in prediction.flags})
        row |= {"flags": " ".join(prediction.flags), "flags_concern": " ".join(told)}
        row["trained_on"] = told_training(seen)
        outside = (name for value in known.values() for name in value.outside)
        row |= {"known_outside_90": " ".join(outside), "known_taken": " ".join(prediction.known)}
        rows.append(rounded(row))
    uncalibrated(predictor)
    writer = csv.DictWriter(sys.stdout, rows[0])
    writer.writeheader()
    writer.writerows(rows)


def _entries(quantity: Quantity, tensors: Mapping[str, np.ndarray]) -> dict[str, object]:
    """Name of each independent entry -> its value; "" where the tensor was refused."""
    if quantity.name not in tensors:
        return dict.fromkeys(quantity.entries, "")
    array = quantity.printed(_without_rounding(tensors[quantity.name]))
    return {name: float(array[indices]) for name, indices in quantity.entries.items()}


def print_json(predictor: Predictor, predicted: list[Labelled]) -> None:
    """Everything that is known of each crystal, as a list of objects.

    "tensors" and "units" go by names that state the unit, everything else by quantity or scalar.
    """
    uncalibrated(predictor)
    records = [_record(predictor, *crystal) for crystal in predicted]
    print(json.dumps(rounded(records), indent=1, allow_nan=False))


def _record(predictor: Predictor, label: str, atoms, prediction) -> dict:
    model = predictor.model
    entries = model.seen(atoms, predictor.symprec)
    seen = [
        {
            "source_id": crystal.source_id,
            "dataset": crystal.dataset,
            "same_structure": crystal.same_structure,
            "tensors": _tensors(crystal.tensors),
        }
        for crystal in entries
    ]
    known = {
        name: {
            "source_id": value.source_id,
            "tensors": _tensors({name: value.tensor}),
            "scalars": value.scalars,
            "relative_error": value.relative_error,
            "outside_90": list(value.outside),
        }
        for name, value in compared(prediction, entries).items()
    }
    return {
        "source": label,
        "formula": reduced_formula(atoms),
        "tensors": _tensors(prediction.tensors),
        "units": _units(prediction.tensors),
        "refused": {name: with_options(str(error)) for name, error in prediction.refused.items()},
        "calibrated": model.card.calibrated,
        "seen": seen,
        "first_principles": known,
        **prediction.record(),
    }


def _tensors(tensors: Mapping[str, np.ndarray]) -> dict[str, list]:
    """Tensors under names that state their unit, in those of ASE and in those people expect."""
    told: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        quantity, array = QUANTITIES[name], _without_rounding(tensor)
        told |= {quantity.key: array, quantity.printed_key: quantity.printed(array)}
    return {name: array.tolist() for name, array in told.items()}


def _units(tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Unit of each of `_tensors`; "" where there is none."""
    units: dict[str, str] = {}
    for quantity in (QUANTITIES[name] for name in tensors):
        units |= {quantity.key: quantity.unit, quantity.printed_key: quantity.display.unit}
    return units


def _without_rounding(tensor: np.ndarray) -> np.ndarray:
    """The tensor, with 0 for what would not be seen beside its largest entry."""
    array = np.asarray(tensor, dtype=float)
    least = 10.0**-DIGITS * np.abs(array).max(initial=0)
    return np.where(np.abs(array) < least, 0.0, array)


def rounded(value: Any) -> Any:
    """JSON-able data with floating-point numbers of six significant digits; None for one that is
    not finite, as JSON has none."""
    if isinstance(value, float):
        if not isfinite(value):
            return None
        return float(f"{value:.{DIGITS}g}") if abs(value) > LEAST else 0.0
    if isinstance(value, Mapping):
        return {key: rounded(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(x) for x in value]
    return value
