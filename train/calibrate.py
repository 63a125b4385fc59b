"""Score a model out of fold, calibrate its error bounds, and write both into its card.

    python -m ase_eqtensor.train.calibrate MODEL DATABASE [--families FOLDER] [--measured FILE]

Every figure is out of fold: a crystal is predicted by the members that left its fold out. Bounds
are calibrated on the same predictions and on families that were left out of training altogether.
With a FOLDER of `ase_eqtensor.train.families` what its networks say of these replaces what is kept;
with a FILE of measured permittivities (measured/tables.py) what the card says of measured values.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer

from ase_eqtensor.errors import DataError
from ase_eqtensor.models.card import Figures
from ase_eqtensor.models.store import Model, load_model, save_model
from ase_eqtensor.train.card import describe
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families import kept
from ase_eqtensor.train.families.definitions import FAMILIES
from ase_eqtensor.train.families.runs import networks, predictions
from ase_eqtensor.train.fitting.samples import prepare, training_crystals
from ase_eqtensor.train.measured import tables
from ase_eqtensor.train.measured.tables import Measurement
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.calibration import calibrate
from ase_eqtensor.train.scoring.checks import check
from ase_eqtensor.train.scoring.deviations import deviations
from ase_eqtensor.train.scoring.evaluate import figures
from ase_eqtensor.train.scoring.fingerprints import fingerprints_of
from ase_eqtensor.train.scoring.measured import as_measured, measured_crystals
from ase_eqtensor.train.scoring.outputs import Predictions, out_of_fold
from ase_eqtensor.train.scoring.suspicions import suspicions
from ase_eqtensor.train.teacher.labels import Label, read_labels

LABELS = Path(__file__).parent / "labels"


def assess(
    model: Model, records: list[Record], path: Path, measurements: Sequence[Measurement] = ()
) -> Path:
    """Score and calibrate a model on the records of a database, and write it to `path`.

    Without `measurements` it says of measured values what it said before. Raises DataError for a
    model whose networks left no fold out.
    """
    if not model.folds:
        raise DataError(
            f"{model.name} is a student, which left no fold out: calibrate the students of the "
            "folds, and adopt it again"
        )
    trained = [r for r in records if r.dataset in model.card.recipe["datasets"]]
    samples = prepare([r for r in trained if not r.quarantine], model.network.architecture.cutoff)
    folds = [member.fold for member in model.card.members]
    learnt = np.array([[s.record.fold != fold for fold in folds] for s in samples])
    fingerprints = fingerprints_of(model.network, samples, learnt)
    scored = out_of_fold(model, records, fingerprints=fingerprints)
    known, families = deviations(scored), kept.load(model.card.recipe)
    uncertainty = calibrate(known, families)
    measured = model.card.measured
    if measurements:
        found = measured_crystals(model, records, measurements, fingerprints)
        measured = as_measured(found, uncertainty)
    card = msgspec.structs.replace(
        model.card,
        figures={"out_of_fold": figures(scored)},
        by_fold=[_of_fold(scored, fold) for fold in model.folds],
        uncertainty=uncertainty,
        calibration=check(known, families),
        suspicions=suspicions(scored, _labels()),
        measured=measured,
    )
    return save_model(model.network, card, path, training_crystals(trained), fingerprints)


def _labels() -> dict[tuple[str, str], Label]:
    """Data set and identifier -> the project's label of the relaxed crystal; none where its labels
    do not lie, as in an installed package."""
    labels = (label for path in LABELS.glob("*.jsonl.gz") for label in read_labels(path))
    return {(label.dataset, label.id): label for label in labels if label.volume_ratio == 1}


def _of_fold(predictions: dict[str, Predictions], fold: int) -> dict:
    scored = {name: all_folds.of_fold(fold) for name, all_folds in predictions.items()}
    return {"fold": fold} | {name: compact(entry) for name, entry in figures(scored).items()}


def compact(figures: dict[str, Any]) -> Figures:
    """The figures of one target without intervals and the trivial answers beside them."""
    out: Figures = {}
    for key, value in figures.items():
        if isinstance(value, dict) and "value" in value:
            out[key] = value["value"]
        elif key == "anisotropic_skill" and isinstance(value, dict):
            out[key] = value["all"]
        elif not isinstance(value, dict):
            out[key] = value
    return out


def main(
    name: Annotated[str, typer.Argument(help="Shipped model or .safetensors file.")],
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    families: Annotated[Path | None, typer.Option(help="Runs without a family each.")] = None,
    measured: Annotated[Path | None, typer.Option(help="Table of measured permittivities.")] = None,
) -> None:
    """Score and calibrate a model anew; its weights stay as they are."""
    model = load_model(name)
    assert model.weights is not None  # it was loaded from there
    records = read_database(database)
    if families is not None:
        trained = [r for r in records if r.dataset in model.card.recipe["datasets"]]
        samples = prepare(trained, model.network.architecture.cutoff)
        known = {}
        for family in FAMILIES:
            if weights := networks(families, family):
                predicted = predictions(family, weights, samples)
                known[family] = deviations(predicted, ordinary=False)
        kept.save(kept.LEFT_OUT, known, model.card.recipe)
    assess(model, records, model.weights, tables.all_of(measured))
    print(describe(load_model(name).card))


if __name__ == "__main__":
    typer.run(main)
