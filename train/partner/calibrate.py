"""What a potential is worth beside a model, and how far off their common tensors are.

    python -m ase_eqtensor.train.partner.calibrate MODEL DATABASE LABELS...

writes the card of the potential beside the model; the labels are those of `eqtensor data label
--force-constants`. Every figure is out of fold: of a crystal neither the network nor the fits of
how the two are combined knew anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from ase_eqtensor.errors import DataError
from ase_eqtensor.models.partner_card import PartnerCard, write_partner
from ase_eqtensor.models.partnership import Combined
from ase_eqtensor.models.store import PARTNER, Model, load_model
from ase_eqtensor.potential.calculators import calculator, reference
from ase_eqtensor.potential.opinion import Opinion
from ase_eqtensor.quantities.permittivity import TOTAL_NAME
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.samples import target_values
from ase_eqtensor.train.partner.cases import Cases, Key, cases
from ase_eqtensor.train.partner.fit import crossed, partnership
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.calibration import calibrate
from ase_eqtensor.train.scoring.checks import check
from ase_eqtensor.train.scoring.deviations import deviations
from ase_eqtensor.train.scoring.outputs import Predictions
from ase_eqtensor.train.targets import DATASETS, targets
from ase_eqtensor.train.targets.permittivity import DIELECTRIC
from ase_eqtensor.train.targets.stiffness import ELASTIC
from ase_eqtensor.train.teacher.crystals import crystals
from ase_eqtensor.train.teacher.labelling import label
from ase_eqtensor.train.teacher.labels import LABELS, read_failures, read_labels

DIGITS = 6  # of the parameters of charges


@dataclass(frozen=True)
class Origin:
    """What opinions come from: fields of `PartnerCard`."""

    calculator: str
    library: str
    level_of_theory: str


def calibrated(
    model: Model, records: Sequence[Record], opinions: Mapping[Key, Opinion | str], origin: Origin
) -> PartnerCard:
    """The card of a potential beside a model, of its opinions of some crystals of a database.

    Raises DataError if too few of them have known tensors.
    """
    found = [name for name, dataset in DATASETS.items() if not dataset.derived]
    asked = cases(model, records, opinions, found)
    asked = asked.rows(np.array([not isinstance(x, str) for x in asked.said], dtype=bool))
    made = partnership(asked) if len(asked.records) else None
    if made is None or (made.stiffness is None and made.ionic is None):
        raise DataError(
            "too few of the labelled crystals have known tensors: label more of the model's "
            "training data"
        )
    combined = crossed(asked)
    known = deviations(_predictions(asked, combined))
    charges = {} if made.charges is None else made.charges.state_dict()
    return PartnerCard(
        model=model.name,
        sha256=model.sha256,
        **asdict(origin),
        reference_ev=reference(calculator(origin.calculator, origin.level_of_theory)),
        stiffness=made.stiffness,
        ionic=made.ionic,
        charges={name: _rounded(values.tolist()) for name, values in charges.items()},
        uncertainty=calibrate(known),
        calibration=check(known),
        figures=figures(asked, combined),
    )


def _rounded(values):
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return float(f"{values:.{DIGITS}g}")


def _predictions(asked: Cases, combined: Combined) -> dict[str, Predictions]:
    """Combined tensors as predictions by target, of the crystals where both had their say."""
    outputs = {name: torch.from_numpy(values) for name, values in combined.tensors.items()}
    values = [target_values(record) for record in asked.records]
    found = {}
    for name, target in targets().items():
        if target.quantity.name not in (STIFFNESS.name, TOTAL_NAME):
            continue
        used = combined.used(target.quantity.name)
        rows = [i for i, own in enumerate(values) if name in own and used[i]]
        if rows:
            found[name] = Predictions(
                [asked.records[i] for i in rows],
                target.predicted(outputs).numpy()[rows],
                np.stack([values[i][name] for i in rows]),
                {feature: column[rows] for feature, column in combined.features.items()},
            )
    return found


def figures(asked: Cases, combined: Combined) -> dict[str, dict[str, float]]:
    """Target -> "crystals", their "used" share, of which the potential had its say, "network_mean",
    "network_median", "mean" and "median" error by the network alone and by both, each of all
    crystals, and the share of those used that are "better" with it. Errors are those of
    `Target.errors`."""
    values = [target_values(record) for record in asked.records]
    sides = [
        {name: torch.from_numpy(array) for name, array in tensors.items()}
        for tensors in (asked.tensors, combined.tensors)
    ]
    found = {}
    for name, target in targets().items():
        rows = [i for i, own in enumerate(values) if name in own]
        if not rows or target.quantity.name not in (STIFFNESS.name, TOTAL_NAME):
            continue
        true = torch.from_numpy(np.stack([values[i][name] for i in rows]))
        before, after = (target.errors(target.predicted(s)[rows], true).numpy() for s in sides)
        used = combined.used(target.quantity.name)[rows]
        found[name] = {
            "crystals": float(len(rows)),
            "used": float(used.mean()),
            "network_mean": float(before.mean()),
            "network_median": float(np.median(before)),
            "mean": float(after.mean()),
            "median": float(np.median(after)),
            "better": float((after < before)[used].mean()) if used.any() else 0.0,
        }
    return found


def read_opinions(paths: Sequence[Path]) -> tuple[dict[Key, Opinion | str], Origin]:
    """Opinions of relaxed crystals in files of labels, or why there is none, and their origin.

    Raises DataError if the files are of different calculators.
    """
    opinions: dict[Key, Opinion | str] = {}
    origins = set()
    for path in paths:
        header = LABELS.read_header(path)
        origins.add(Origin(header["calculator"], header["library"], header["level_of_theory"]))
        for failure in read_failures(path):
            if failure["volume_ratio"] == 1:
                opinions[failure["dataset"], failure["id"]] = failure["error"]
        for one in read_labels(path):
            before = opinions.get((one.dataset, one.id))
            fuller = one.force_constants is not None or not isinstance(before, Opinion)
            if one.volume_ratio == 1 and fuller:
                opinions[one.dataset, one.id] = one.opinion
    if len(origins) != 1:
        raise DataError(f"{', '.join(map(str, paths))}: give labels of one calculator")
    return opinions, origins.pop()


def label_and_calibrate(
    model: Model,
    database: Path,
    labels: Path,
    name: str,
    level_of_theory: str = "",
    *,
    max_atoms: int | None = None,
    elements: Sequence[str] = (),
    count: int | None = None,
    **running,
) -> PartnerCard:
    """The card of any calculator: labels crystals of a database in the file `labels`, which is gone
    on with, and calibrates by them.

    Args:
        name, level_of_theory: of the calculator, see `teacher`.
        max_atoms, elements: which crystals, see `crystals`.
        count: of crystals of stiffnesses, and again of permittivities, the smallest ones; None for
            all.
        running: workers, backend, address and progress of `label`.

    Raises what `crystals`, `label` and `calibrated` raise.
    """
    records = read_database(database)
    for dataset, force_constants in ((ELASTIC, False), (DIELECTRIC, True)):
        if any(record.dataset == dataset.name for record in records):
            chosen = crystals(str(database), [dataset.name], max_atoms, elements)[:count]
            label(chosen, labels, name, level_of_theory, force_constants=force_constants, **running)
    opinions, origin = read_opinions([labels])
    return calibrated(model, records, opinions, origin)


def main(
    name: Annotated[str, typer.Argument(help="Shipped model or .safetensors file.")],
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    labels: Annotated[list[Path], typer.Argument(help="Files of `eqtensor data label`.")],
) -> None:
    """Calibrate a potential as partner of a model."""
    model = load_model(name)
    assert model.weights is not None  # it was loaded from there
    opinions, origin = read_opinions(labels)
    card = calibrated(model, read_database(database), opinions, origin)
    path = model.weights.with_name(f"{model.name}.{origin.calculator}{PARTNER}")
    write_partner(card, path)
    print(f"{path}: {card.figures}")


if __name__ == "__main__":
    typer.run(main)
