"""Scoring a model out of fold: figures, per-crystal predictions, parity plots."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import torch

from ase_eqtensor.models.store import Model
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, mandel_to_voigt
from ase_eqtensor.train.fitting.samples import TENSORS
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.metrics import (
    dielectric_summary,
    energy_summary,
    isotropic_oracle,
    moduli_summary,
    relative_errors,
    stiffness_summary,
)
from ase_eqtensor.train.scoring.outputs import Predictions, out_of_fold

TARGETS = TENSORS | {"moduli": "moduli", "formation_energy": "formation_energy"}
_RELATIVE = ("median_relative", "mean_relative")
_SCORES = {  # figures of each target, and those of them that the trivial answer is given for
    "stiffness": (stiffness_summary, _RELATIVE),
    "electronic": (dielectric_summary, _RELATIVE),
    "dielectric": (dielectric_summary, _RELATIVE),
    "moduli": (moduli_summary, ("k_vrh_mae_gpa", "g_vrh_mae_gpa")),
    "formation_energy": (energy_summary, ("mae_ev_per_atom",)),
}


def evaluate(model: Model, records: Sequence[Record], part: str = "test") -> dict:
    """Figures of the bare network out of fold, with every crystal's prediction.

    Args:
        model: the model to score. Those of its members that left a fold out predict the crystals
            of that fold, so none of them has trained on what it is scored by.
        records: the database. Tensors are always scored, K and G (of crystals that have no
            tensor) and formation energies if the model was trained on that data set.
        part: "val" (for choices) or "test" (for reports; every row, quarantined ones too).

    Returns:
        {"model", "sha256", "folds", "part", "figures": {target: ...}, "crystals": {target:
        [...]}} for the targets that occur in the part, of `TARGETS`. Stiffness tensors in GPa
        (Voigt). "constant" is what the median of the training values scores, the trivial answer
        to compare with.

    Raises DataError if nothing is left to score.
    """
    predictions = out_of_fold(model, records, part)
    report = {"model": model.name, "sha256": model.sha256, "folds": model.folds, "part": part}
    found = {name: predictions[output] for name, output in TARGETS.items() if output in predictions}
    crystals = {name: _crystals(TARGETS[name], one) for name, one in found.items()}
    return report | {"figures": figures(predictions), "crystals": crystals}


def figures(predictions: dict[str, Predictions]) -> dict[str, dict]:
    """{target: figures} of `TARGETS`, with those of the constant beside them."""
    out = {}
    for name, output in TARGETS.items():
        if output not in predictions:
            continue
        found = predictions[output]
        score, compared = _SCORES[output]
        out[name] = score(found.predicted, found.target)
        if found.constant is not None:
            constant = score(found.constant, found.target)
            out[name]["constant"] = {k: constant[k] for k in compared}
    return out


def write_report(report: dict, folder: Path) -> list[Path]:
    """Write report.json and parity plots (self-contained HTML); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    return [path, *(_parity(name, rows, folder) for name, rows in report["crystals"].items())]


def _crystals(output: str, found: Predictions) -> list[dict]:
    rows = [{"source_id": r.source_id, "formula": r.reduced_formula} for r in found.records]
    predicted, target = found.predicted, found.target
    if output in TENSORS.values():
        errors, oracle = relative_errors(predicted, target), isotropic_oracle(target)
        for row, error, best in zip(rows, errors, oracle):
            row |= {"relative_error": float(error), "isotropic_oracle": float(best)}
    for i, row in enumerate(rows):
        row |= _values("predicted", output, predicted[i]) | _values("reference", output, target[i])
    return rows


def _values(side: str, output: str, value: np.ndarray) -> dict:
    """One side of a crystal's row; numbers (not the lists) are drawn in the parity plot."""
    if output == "formation_energy":
        return {f"{side}_ev_per_atom": float(value)}
    if output in ("electronic", "dielectric"):
        return {f"{side}_trace_third": float(np.trace(value) / 3), side: value.tolist()}
    k, g = value if output == "moduli" else hill_average(torch.from_numpy(value) / GPA)
    row = {f"{side}_k_vrh_gpa": float(k), f"{side}_g_vrh_gpa": float(g)}
    if output == "stiffness":
        row[f"{side}_gpa"] = (mandel_to_voigt(value) / GPA).tolist()
    return row


def _parity(name: str, rows: list[dict], folder: Path) -> Path:
    figure = go.Figure()
    keys = [k.removeprefix("reference_") for k in rows[0] if k.startswith("reference_")]
    for key in (k for k in keys if not isinstance(rows[0][f"reference_{k}"], list)):
        x, y = ([row[f"{side}_{key}"] for row in rows] for side in ("reference", "predicted"))
        text = [f"{row['formula']} {row['source_id']}" for row in rows]
        figure.add_scatter(x=x, y=y, mode="markers", name=key, text=text)
        low, high = min(x + y), max(x + y)
        line = {"color": "grey", "dash": "dot"}
        figure.add_scatter(x=[low, high], y=[low, high], mode="lines", line=line, showlegend=False)
    scale = "linear" if name == "formation_energy" else "log"
    figure.update_xaxes(title="first principles", type=scale)
    figure.update_yaxes(title="predicted", type=scale)
    figure.update_layout(title=name, width=800, height=800)
    path = folder / f"parity_{name}.html"
    figure.write_html(path, include_plotlyjs=True)
    return path
