"""Turn finished runs into a shipped model: one ensemble, and a card with every figure.

    python -m ase_eqtensor.train.release NAME DATABASE RUN [RUN ...] [--measured FILE]

NAME may be an absolute path, for a model that is not to be shipped. The runs have one recipe and
differ in fold and seed; all of them become members, so nothing is chosen here. Every figure is out
of fold: a crystal is predicted by the members that left its fold out. The uncertainty is calibrated
on the same predictions.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from ase_eqtensor import __version__
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.card import Card, Member
from ase_eqtensor.models.store import Model, load_model, shipped_folder
from ase_eqtensor.network.ensemble import merge
from ase_eqtensor.train.calibrate import assess, compact
from ase_eqtensor.train.card import describe
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families.kept import comparable
from ase_eqtensor.train.fitting.samples import element_counts
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.measured import tables
from ase_eqtensor.train.measured.tables import Measurement
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.run import level_of_theory

ABOUT: dict[str, Any] = {
    "data_citation": [
        "M. de Jong et al., Sci. Data 2, 150009 (2015), stiffness; Materials Project, CC BY 4.0",
        "I. Petousis et al., Sci. Data 4, 160134 (2017), dielectric; Materials Project, CC BY 4.0",
        "M. de Jong et al., Sci. Data 2, 150053 (2015), e; Materials Project, CC BY 4.0",
        "K and G of binary compounds: Materials Project, as collected for MatCalc in 2025",
        "labels: SevenNet-l3i5, Y. Park et al., J. Chem. Theory Comput. 20, 4857 (2024)",
    ],
    "intended_use": "Screening of bulk inorganic crystals at their relaxed PBE geometry.",
    "limits": [
        "about a thousand training tensors of each kind, mostly small cells",
        "dielectric and piezoelectric data are insulators only: nothing is said about metals",
        "no magnetism, no temperature, no surfaces or molecules",
    ],
}


def release(
    name: str,
    records: list[Record],
    runs: list[Path],
    folder: Path,
    measurements: Sequence[Measurement] = (),
) -> Path:
    """Merge the runs, score and calibrate them out of fold, write NAME into `folder`.

    Raises DataError if the runs differ in more than fold and seed.
    """
    models = [load_model(run / f"{run.name}.safetensors") for run in runs]
    recipes = [comparable(model.card.recipe) for model in models]
    if different := [run.name for run, recipe in zip(runs, recipes) if recipe != recipes[0]]:
        raise DataError(f"runs {different} have another recipe than {runs[0].name}")
    network = merge([model.network for model in models])
    trained = [r for r in records if r.dataset in recipes[0]["datasets"]]
    folds = [model.folds[0] for model in models]
    card = Card(
        architecture=network.architecture,
        package_version=__version__,
        level_of_theory=level_of_theory(trained),
        elements=_mean_counts([element_counts(split(trained, f).train) for f in folds]),
        members=[_member(model) for model in models],
        recipe=recipes[0],
        **ABOUT,
    )
    return assess(Model(network, card), records, folder / name, measurements)


def _member(model: Model) -> Member:
    val = {name: compact(entry) for name, entry in model.card.figures_of("val").items()}
    return msgspec.structs.replace(model.card.members[0], val=val)


def _mean_counts(elements: list[dict[str, dict[int, int]]]) -> dict[str, dict[int, float]]:
    """Number of crystals with each element in the training data, averaged over members."""
    out = {}
    for quantity in elements[0]:
        total: Counter[int] = Counter()
        for counts in elements:
            total.update(counts[quantity])  # which keeps zeros, as addition does not
        out[quantity] = {z: round(total[z] / len(elements), 1) for z in sorted(total)}
    return out


def main(
    name: Annotated[str, typer.Argument(help="Name of the model, or an absolute path.")],
    database: Annotated[Path, typer.Argument(help="Training database.")],
    runs: Annotated[list[Path], typer.Argument(help="Folders of `eqtensor train`.")],
    measured: Annotated[Path | None, typer.Option(help="Table of measured permittivities.")] = None,
) -> None:
    """Turn finished runs into one model with every figure."""
    records, known = read_database(database), tables.all_of(measured)
    weights = release(name, records, runs, shipped_folder(), known)
    print(describe(load_model(weights).card))


if __name__ == "__main__":
    typer.run(main)
