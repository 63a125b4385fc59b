"""Scoring a model out of fold: figures, per-crystal predictions, parity plots."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from ase_eqtensor.models.store import Model, held_out
from ase_eqtensor.quantities import Density
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.outputs import Predictions, out_of_fold
from ase_eqtensor.train.targets import TensorTarget, targets
from ase_eqtensor.train.targets.metrics import isotropic_oracle, relative_errors

SIDES = ("reference", "predicted")


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
        [...]}} for the targets that occur in the part. Tensors are printed ones: stiffness in GPa
        (Voigt). "constant" is what the median of the training values scores, the trivial answer
        to compare with.

    Raises DataError if nothing is left to score.
    """
    model = held_out(model)
    predictions = out_of_fold(model, records, part)
    report = {"model": model.name, "sha256": model.sha256, "folds": model.folds, "part": part}
    crystals = {name: _crystals(name, scored) for name, scored in predictions.items()}
    return report | {"figures": figures(predictions), "crystals": crystals}


def figures(predictions: dict[str, Predictions]) -> dict[str, dict]:
    """{target: figures}, with those of the constant beside them."""
    out = {}
    for name, target in targets().items():
        if name not in predictions:
            continue
        scored = predictions[name]
        out[name] = target.figures(scored.predicted, scored.target, scored.density)
        if scored.constant is not None:
            constant = target.figures(scored.constant, scored.target, scored.density)
            out[name]["constant"] = {figure: constant[figure] for figure in target.compared}
    return out


def write_report(report: dict, folder: Path) -> list[Path]:
    """Write report.json and parity plots (self-contained HTML); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    return [path, *(_parity(name, rows, folder) for name, rows in report["crystals"].items())]


def _crystals(name: str, scored: Predictions) -> list[dict]:
    """A row for every crystal; numbers (not the lists) are drawn in the parity plot."""
    target = targets()[name]
    rows: list[dict[str, Any]] = [
        {"source_id": record.source_id, "formula": record.reduced_formula}
        for record in scored.records
    ]
    predicted, true, density = scored.predicted, scored.target, scored.density
    if isinstance(target, TensorTarget):
        oracle = isotropic_oracle(target.quantity.form, true)
        for row, error, best in zip(rows, relative_errors(predicted, true), oracle):
            row |= {"relative_error": float(error), "isotropic_oracle": float(best)}
    for i, row in enumerate(rows):
        crystal = Density(density.mass[i : i + 1], density.number[i : i + 1])
        row |= target.row("predicted", predicted[i], crystal)
        row |= target.row("reference", true[i], crystal)
    return rows


def _parity(name: str, rows: list[dict], folder: Path) -> Path:
    figure = go.Figure()
    start = "reference_"
    keys = [key for key, value in rows[0].items() if key.startswith(start)]
    numbers = [k.removeprefix(start) for k in keys if not isinstance(rows[0][k], list)]
    for key in numbers:
        x, y = ([row[f"{side}_{key}"] for row in rows] for side in SIDES)
        text = [f"{row['formula']} {row['source_id']}" for row in rows]
        figure.add_scatter(x=x, y=y, mode="markers", name=key, text=text)
        low, high = min(x + y), max(x + y)
        line = {"color": "grey", "dash": "dot"}
        figure.add_scatter(x=[low, high], y=[low, high], mode="lines", line=line, showlegend=False)
    values = [row[f"{side}_{key}"] for row in rows for side in SIDES for key in numbers]
    scale = "log" if min(values, default=1) > 0 else "linear"
    figure.update_xaxes(title="first principles", type=scale)
    figure.update_yaxes(title="predicted", type=scale)
    figure.update_layout(title=name, width=800, height=800)
    path = folder / f"parity_{name}.html"
    figure.write_html(path, include_plotlyjs=True)
    return path
