"""The numbers of a page as files that a browser makes of links: JSON and CSV."""

import csv
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from math import isfinite
from typing import Any

import numpy as np

from ..models.uncertainty import LEVELS
from ..quantities import QUANTITIES
from .subject import Subject
from .tables import column_names

DIGITS = 7  # significant ones: more than any tensor is good for, and enough to add up


@dataclass(frozen=True)
class Download:
    """A link. name: of the file. label: for people. address: with the whole content."""

    name: str
    label: str
    address: str


def downloads(subject: Subject, stem: str) -> list[Download]:
    """The files that a page offers; `stem` begins their names."""
    everything = json.dumps(content(subject), ensure_ascii=False, indent=1)
    return [
        _download(f"{stem}.json", "Everything, JSON", everything, "application/json"),
        _download(f"{stem}-tensors.csv", "Tensors, CSV", _csv(_entries(subject)), "text/csv"),
        _download(f"{stem}-numbers.csv", "Numbers, CSV", _csv(_numbers(subject)), "text/csv"),
    ]


def content(subject: Subject) -> dict[str, Any]:
    """All numbers of a page, JSON-able; tensors in the units in which the page has them."""
    atoms, prediction = subject.atoms, subject.prediction
    return {
        "formula": subject.formula,
        **prediction.provenance,
        "cell_angstrom": _rounded(atoms.cell[:]),
        "symbols": atoms.get_chemical_symbols(),
        "positions_angstrom": _rounded(atoms.positions),
        "space_group": subject.symmetry.space_group or None,
        "flags": list(prediction.flags),
        "warnings": [str(warning) for warning in prediction.warnings],
        "refused": {name: str(error) for name, error in prediction.refused.items()},
        "tensors": {name: _tensor(subject, name) for name in prediction.tensors},
        "scalars": {row.pop("name"): row for row in _numbers(subject)},
    }


def _tensor(subject: Subject, name: str) -> dict[str, Any]:
    quantity, estimate = QUANTITIES[name], subject.prediction.uncertainty.get(name)
    scale = quantity.display.scale
    told: dict[str, Any] = {
        "meaning": quantity.meaning,
        "unit": quantity.display.unit,
        "values": _rounded(scale * subject.prediction.tensors[name]),
        "first_principles_of": subject.prediction.known.get(name),
    }
    if estimate is not None:
        told["relative_error"] = {str(q): _digits(estimate.relative_error[q]) for q in LEVELS}
    if name in subject.known:
        known = subject.known[name]
        told["known"] = {"source_id": known.source_id, "values": _rounded(scale * known.tensor)}
    return told


def _entries(subject: Subject) -> Iterator[dict[str, Any]]:
    """A line for each entry of each tensor."""
    for name, tensor in subject.prediction.tensors.items():
        display = QUANTITIES[name].display
        rows, columns = (column_names(size) for size in tensor.shape)
        for (i, j), value in np.ndenumerate(display.scale * tensor):
            yield {
                "tensor": name,
                "unit": display.unit,
                "row": rows[i],
                "column": columns[j],
                "value": _digits(value),
            }


def _numbers(subject: Subject) -> Iterator[dict[str, Any]]:
    """A line for each scalar."""
    prediction = subject.prediction
    for name in prediction.tensors:
        known = subject.known[name].scalars if name in subject.known else {}
        for scalar in QUANTITIES[name].scalars:
            low, high = prediction.interval(scalar.name) or (None, None)
            yield {
                "name": scalar.name,
                "label": scalar.label,
                "unit": scalar.unit,
                "value": _digits(prediction.scalars[scalar.name]),
                "low_90": _digits(low),
                "high_90": _digits(high),
                "known": _digits(known.get(scalar.name)),
            }


def _csv(rows: Iterator[dict[str, Any]]) -> str:
    lines, text = list(rows), StringIO(newline="")
    writer = csv.DictWriter(text, lines[0] if lines else [])
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _download(name: str, label: str, text: str, kind: str) -> Download:
    content = b64encode(text.encode()).decode()
    return Download(name, label, f"data:{kind};charset=utf-8;base64,{content}")


def _digits(value: float | None) -> float | None:
    if value is None or not isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}") + 0.0


def _rounded(values: np.ndarray) -> list:
    """Nested lists of an array with so many digits of its greatest entry."""
    greatest = np.abs(values).max(initial=0)
    decimals = DIGITS - 1 - int(np.floor(np.log10(greatest))) if greatest else 0
    return (np.round(np.asarray(values, dtype=float), decimals) + 0.0).tolist()
