"""How well piezoelectric tensors are predicted out of fold, beside trivial answers:

    python -m studies.piezoelectric DATABASE [MODEL]

over the crystals whose tensor is not zero; those whose frame is certain, and all, of which several
readings count as the one that is nearest to what was predicted. A constant is the mean tensor of
the rows of other folds. The greatest longitudinal d of crystals whose stiffness is known, too, is
compared with what the bounds of e and of the compliance S say of d = e S.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor.models.store import held_out, load_model
from ase_eqtensor.models.uncertainty import LEVELS, RELATIVE, of_product
from ase_eqtensor.quantities.piezoelectric import LONGITUDINAL, PIEZOELECTRIC
from ase_eqtensor.quantities.stiffness import COMPLIANCE, STIFFNESS
from ase_eqtensor.tensors.directional import greatest_strain_by_field
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.samples import target_values
from ase_eqtensor.train.scoring.checks import Judge
from ase_eqtensor.train.scoring.deviations import Known, deviations
from ase_eqtensor.train.scoring.outputs import Predictions, out_of_fold
from ase_eqtensor.train.targets import targets
from ase_eqtensor.train.targets.piezoelectric import NOISE

FEWEST = 15  # crystals of a group that is shown


def figures(scored: Predictions, predicted: np.ndarray) -> list[str]:
    """The cells of one row."""
    target = targets()[PIEZOELECTRIC.name]
    values = np.stack([target_values(record)[target.name] for record in scored.records])
    found = target.figures(predicted, target.meant(values, predicted), scored.density)
    return [
        f"{found['ewt25_percent']:.0f} %",
        f"{found['median_relative']['value']:.2f}",
        f"{found['entries_mae']:.3f}",
        f"{found['longitudinal_spearman']:.2f}",
        f"{found['sign_percent']:.0f} %",
    ]


def constant(scored: Predictions) -> np.ndarray:
    """The mean tensor of the rows of other folds, (n, 3, 6)."""
    folds = np.array([record.fold for record in scored.records])
    means = {fold: scored.target[folds != fold].mean(axis=0) for fold in np.unique(folds)}
    return np.stack([means[fold] for fold in folds])


def strains_by_field(
    scored: Predictions, elastic: Predictions, known: Known
) -> tuple[np.ndarray, np.ndarray]:
    """ln true over predicted (n,) of the greatest longitudinal d of the crystals that both sets
    hold, out of fold, and whether they lie between 90 % bounds, (n,): those of the greatest
    longitudinal e and of the compliance, made without their compositions, in quadrature."""
    place = {record.source_id: i for i, record in enumerate(elastic.records)}
    both = [i for i, record in enumerate(scored.records) if record.source_id in place]
    scored = scored.rows(both)
    stiff = elastic.rows([place[record.source_id] for record in scored.records])
    greatest = []
    for e, c in ((scored.target, stiff.target), (scored.predicted, stiff.predicted)):
        compliance = np.linalg.inv(STIFFNESS.to_ase(c))
        greatest.append(greatest_strain_by_field(PIEZOELECTRIC.to_ase(e), compliance))
    apart = np.log(greatest[0] / greatest[1])
    judge = Judge(known, {})

    def bounds(name: str, error: str, own: Known) -> tuple[np.ndarray, np.ndarray]:
        return judge.bounds(name, error, own[name][error])[max(LEVELS)]

    of_e = bounds(PIEZOELECTRIC.name, LONGITUDINAL, deviations({PIEZOELECTRIC.name: scored}))
    of_s = bounds(COMPLIANCE.name, RELATIVE, deviations({STIFFNESS.name: stiff}))[1]
    low, high = of_product(*of_e, of_s)
    return apart, (low <= apart) & (apart <= high)


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    model: Annotated[str | None, typer.Argument(help="Shipped model or .safetensors file.")] = None,
) -> None:
    """Print tables by certainty of the frame and by crystal system."""
    records = read_database(database)
    loaded = held_out(load_model(model))
    errors_of = loaded.error_model
    assert errors_of is not None
    predictions = out_of_fold(loaded, records, fingerprints=errors_of.fingerprints)
    known = predictions[PIEZOELECTRIC.name]
    size = np.linalg.norm(known.target, axis=(1, 2))
    known = known.rows(np.flatnonzero(size > NOISE))
    certain = np.array([PIEZOELECTRIC.name in record.targets for record in known.records])
    rows = []
    for title, chosen in (("frame certain", certain), ("all", np.ones(len(certain), bool))):
        scored = known.rows(np.flatnonzero(chosen))
        for name, predicted in (
            ("network", scored.predicted),
            ("zero", np.zeros_like(scored.predicted)),
            ("constant", constant(scored)),
        ):
            count = f"{len(scored.records)}"
            rows.append([title, count, name, *figures(scored, predicted)])
            title = ""
    header = ["within 25 %", "median error", "entries, C/m²", "longitudinal, rank", "sign"]
    print(table(["", "crystals", "", *header], rows))
    elastic = predictions[STIFFNESS.name]
    apart, holds = strains_by_field(known, elastic, deviations(predictions))
    print(
        f"greatest longitudinal d of {len(apart)} crystals: off by a factor of "
        f"{np.exp(np.median(np.abs(apart))):.2f} in the median, 90 % bounds hold for "
        f"{100 * holds.mean():.0f} %\n"
    )
    systems = np.array([record.crystal_system for record in known.records])
    groups = [known.rows(np.flatnonzero(systems == one)) for one in np.unique(systems)]
    print(
        table(
            ["", "crystals", *header],
            [
                [one.records[0].crystal_system, f"{len(one.records)}", *figures(one, one.predicted)]
                for one in groups
                if len(one.records) >= FEWEST
            ],
        )
    )


if __name__ == "__main__":
    typer.run(main)
