"""Prediction of many crystals into one database, on many processes, resumable.

The output is its own checkpoint: crystals are predicted in shards, and every shard enters the
database in one transaction. A killed run leaves whole shards behind, and the next one goes on with
the rest. Crystals that failed leave no row; every run tries them again and names them again.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ase import Atoms

from .calculator import EqTensorCalculator
from .errors import DataError
from .files import Collection, connect, freeze, is_address, open_collection
from .files.database import write_rows
from .parallel import in_parallel

SHARD = 64  # items that are predicted and written together
METADATA = "eqtensor"  # entry of the database's metadata: which model, with which settings


@dataclass
class Screened:
    """What a run did.

    present: crystals that were in the database before.
    written: crystals that it added.
    failures: for every crystal without a prediction its label and the reason.
    """

    present: int = 0
    written: int = 0
    failures: list[str] = field(default_factory=list)


def screen(
    crystals: Collection | str | Path,
    output: str | Path,
    model: str | None = None,
    *,
    workers: int = 1,
    backend: str = "local",
    address: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    **settings,
) -> Screened:
    """Predict all tensors of all crystals and write them to an ASE database.

    Rows are as `save` writes them, with the further key `source`, the label of the crystal.
    They are the same however many workers there are and however often the run was interrupted, and
    in the order of the collection except for crystals that an earlier run failed at.

    Args:
        crystals: an ASE database (path or postgresql:// address), a folder, a list of paths in a
            text file, or what `files.open_collection` makes of one of these.
        output: .db file or postgresql:// address. What an earlier run with the same model and
            settings has left there is continued.
        model: as for `EqTensorCalculator`.
        workers: processes, -1 for one per core.
        backend: "local", "dask" or "ray", see `parallel.in_parallel`.
        address: of a running cluster, see there.
        progress: called with the number of items done and of all items, after every shard.
        settings: as for `EqTensorCalculator`: device, dtype, symprec, ...

    Raises:
        DataError: the output is something else, or another model or other settings made it; the
            backend is unknown or out of reach.
        ModelError: no such model.
        MissingExtraError: a library of the backend or of PostgreSQL is not installed.
    """
    if not is_address(output) and Path(output).suffix != ".db":
        raise DataError(f"{output}: a screen writes to a .db file or a postgresql:// address")
    if not isinstance(crystals, Collection):
        crystals = open_collection(str(crystals))
    recipe = model, tuple(sorted(settings.items()))
    done = _labels(output, calculator_of(*recipe).todict())
    written: dict[str, set[str]] = defaultdict(set)  # item -> labels
    for label in done:
        written[label.rsplit("#", 1)[0]].add(label)
    keys = crystals.keys()
    shards = [keys[i : i + SHARD] for i in range(0, len(keys), SHARD)]
    tasks = {}
    for i, shard in enumerate(shards):
        if missing := [key for key in shard if key not in done]:
            tasks[i] = {key: written.get(key, set()) for key in missing}
    report = Screened(present=len(done))
    calls = [(recipe, crystals, task) for task in tasks.values()]
    for i, result in zip(tasks, in_parallel(_predict, calls, workers, backend, address)):
        images, failures = result
        with connect(output) as db:  # one transaction
            write_rows(db, images)
        report.written += len(images)
        report.failures += failures
        if progress:
            progress(min((i + 1) * SHARD, len(keys)), len(keys))
    return report


def _labels(output: str | Path, identity: dict) -> frozenset[str]:
    """Labels of the crystals that are in the output, which is made if it does not exist."""
    with connect(output) as db:
        metadata, rows = db.metadata, db.count()
        if METADATA not in metadata:
            if rows:
                raise DataError(f"{output} holds {rows} rows of other origin: choose another name")
            # the setter is that of the databases: ASE's base class has none
            db.metadata = {**metadata, METADATA: identity}  # type: ignore[misc]
        elif metadata[METADATA] != identity:
            raise DataError(
                f"{output} was made with {metadata[METADATA]}, this run would use {identity}: "
                "choose another name"
            )
        return frozenset(row.source for row in db.select("source", include_data=False))


@lru_cache(maxsize=1)
def calculator_of(model: str | None, settings: tuple[tuple[str, Any], ...]) -> EqTensorCalculator:
    """The calculator with these settings, loaded once in every process."""
    return EqTensorCalculator(model, **dict(settings))


def _predict(
    recipe: tuple, crystals: Collection, task: dict[str, set[str]]
) -> tuple[list[Atoms], list[str]]:
    """Frozen crystals of the items of a task, without those whose labels it gives, and failures."""
    with warnings.catch_warnings():  # flags tell the same, and a file that matters fails the checks
        warnings.simplefilter("ignore")
        labelled = [
            (label, atoms)
            for key, written in task.items()
            for label, atoms in crystals.read(key)
            if label not in written
        ]
        predicted, failures = calculator_of(*recipe).predictor.predict_labelled(labelled)
    images = [freeze(atoms, prediction, label) for label, atoms, prediction in predicted]
    return images, [str(error) for error in failures]
