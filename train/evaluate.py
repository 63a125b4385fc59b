"""Scoring a model on the test part of a fold: figures, per-crystal predictions, parity plots."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import torch

from ase_eqtensor.errors import DataError
from ase_eqtensor.pretrained import Model
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, mandel_to_voigt
from ase_eqtensor.train.dataset import TENSORS, Sample, loader, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.metrics import (
    dielectric_summary,
    isotropic_oracle,
    relative_errors,
    stiffness_summary,
)
from ase_eqtensor.train.record import Record


def evaluate(
    model: Model, records: Sequence[Record], part: str = "test", fold: int | None = None
) -> dict:
    """Figures of the bare network on one part of a fold, with every crystal's prediction.

    Args:
        model: the model to score.
        records: the database; rows of the part without a tensor are passed over.
        part: "val" (for choices) or "test" (for reports; every row, quarantined ones too).
        fold: the fold that was left out; None takes it from the model's card.

    Returns:
        {"model", "sha256", "fold", "part", "figures": {property: ...}, "crystals": {property:
        [...]}}. Stiffness tensors in GPa (Voigt). "constant" is what the median training tensor
        scores, the trivial answer to compare with.
    """
    fold = model.card["recipe"]["fold"] if fold is None else fold
    known = [r for r in records if TENSORS.keys() & r.targets.keys()]
    parts = split(known, fold)
    if not getattr(parts, part):
        raise DataError(f"no crystal with a tensor is in the {part} part of fold {fold}")
    samples = prepare(getattr(parts, part), model.network.architecture.cutoff)
    trained = [Sample(record, None) for record in parts.train]
    report = {"model": model.name, "sha256": model.sha256, "fold": fold, "part": part}
    report |= {"figures": {}, "crystals": {}}
    outputs = _outputs(model.network, samples)
    for name, output in TENSORS.items():
        chosen = [i for i, s in enumerate(samples) if output in s.targets]
        if not chosen:
            continue
        target = np.stack([samples[i].targets[output] for i in chosen])
        predicted = np.stack([outputs[i][output] for i in chosen])
        score = stiffness_summary if output == "stiffness" else dielectric_summary
        middle = np.median([s.targets[output] for s in trained if output in s.targets], axis=0)
        constant = score(np.broadcast_to(middle, target.shape).copy(), target)
        report["figures"][name] = score(predicted, target) | {
            "constant": {k: constant[k] for k in ("median_relative", "mean_relative")}
        }
        report["crystals"][name] = _crystals(
            [samples[i].record for i in chosen], output, predicted, target
        )
    return report


def write_report(report: dict, folder: Path) -> list[Path]:
    """Write report.json and parity plots (self-contained HTML); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    return [path, *(_parity(name, rows, folder) for name, rows in report["crystals"].items())]


def _outputs(network: torch.nn.Module, samples: Sequence[Sample]) -> list[dict[str, np.ndarray]]:
    out = []
    with torch.inference_mode():
        for batch in loader(samples, 64, shuffle=False):
            result = {k: v.cpu().numpy() for k, v in network(batch.graph).items()}
            out += [{k: v[i] for k, v in result.items()} for i in range(len(batch.graph.size))]
    return out


def _crystals(records, output: str, predicted: np.ndarray, target: np.ndarray) -> list[dict]:
    rows = []
    errors, oracle = relative_errors(predicted, target), isotropic_oracle(target)
    for i, record in enumerate(records):
        row = {"source_id": record.source_id, "formula": record.reduced_formula}
        row |= {"relative_error": float(errors[i]), "isotropic_oracle": float(oracle[i])}
        for key, tensor in (("predicted", predicted[i]), ("reference", target[i])):
            if output == "stiffness":
                k, g = hill_average(torch.from_numpy(tensor) / GPA)
                row[f"{key}_k_vrh_gpa"], row[f"{key}_g_vrh_gpa"] = float(k), float(g)
                row[f"{key}_gpa"] = (mandel_to_voigt(tensor) / GPA).tolist()
            else:
                row[f"{key}_trace_third"] = float(np.trace(tensor) / 3)
                row[key] = tensor.tolist()
        rows.append(row)
    return rows


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
    figure.update_xaxes(title="first principles", type="log")
    figure.update_yaxes(title="predicted", type="log")
    figure.update_layout(title=name, width=800, height=800)
    path = folder / f"parity_{name}.html"
    figure.write_html(path, include_plotlyjs=True)
    return path
