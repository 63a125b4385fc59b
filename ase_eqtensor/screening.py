"""Prediction of many crystals into one database, on many processes, resumable.

The output is its own checkpoint: crystals are predicted in shards, and every shard enters the
database in one transaction. A killed run leaves whole shards behind, and the next one goes on with
the rest. A crystal is known by its label and by what it is: one that has changed in its source is
predicted again and takes the place of its old row, crystals of two sources that share a label are
two crystals. Crystals that failed leave no row; every run tries them again and names them again.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from filelock import FileLock, Timeout

from .calculator import EqTensorCalculator
from .errors import DataError, counted
from .files import (
    Collection,
    connect,
    freeze,
    is_address,
    kept_as_given,
    open_collection,
    storable,
)
from .files.database import only_writer, write_rows
from .parallel import check_workers, in_parallel
from .prediction.settings import DEFAULTS

# Items that are predicted and written together; with a partner they take seconds each.
SHARD, PARTNER_SHARD = 64, 4
METADATA = "eqtensor"  # entry of the database's metadata: which model, with which settings


@dataclass
class Screened:
    """What a run did.

    present: crystals that were in the database before.
    written: crystals that it added.
    failures: for every crystal without a prediction its label and the reason.
    given: for every value of the user's that has a name of ours, the name under which it is kept.
    """

    present: int = 0
    written: int = 0
    failures: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)


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

    Rows are as `save` writes them, with the further keys `source`, the label of the crystal, and
    `origin`, the folder or database that it comes from; the output itself is never screened. They
    are the same however many workers there are and however often the run was interrupted, and in
    the order of the collection except for crystals that an earlier run failed at.

    Args:
        crystals: an ASE database (path or postgresql:// address), a folder, a file of crystals, a
            list of paths in a text file, or what `files.open_collection` makes of one of these.
        output: .db file or postgresql:// address. What an earlier run with the same model and
            settings has left there is continued.
        model: as for `EqTensorCalculator`.
        workers: processes, -1 for one per core.
        backend: "local", "dask" or "ray", see `parallel.in_parallel`.
        address: of a running cluster, see there.
        progress: called with the number of items done and of all items, after every shard.
        settings: as for `EqTensorCalculator`: device, dtype, symprec, partner, ...

    Raises:
        DataError: the output is something else, another model or other settings made it, another
            run is writing to it, or it is the source; the backend is unknown or out of reach.
        SettingError: a number of workers that cannot be, or another setting that is not possible.
        ModelError: no such model.
        MissingExtraError: a library of the backend or of PostgreSQL is not installed.
    """
    if not is_address(output) and Path(output).suffix != ".db":
        raise DataError(f"{output}: a screen writes to a .db file or a postgresql:// address")
    check_workers(workers, backend, address)
    if not isinstance(crystals, Collection):
        crystals = open_collection(str(crystals))
    crystals = crystals.without(output)
    recipe = model, tuple(sorted(settings.items()))
    with _held(output):
        rows = _rows(output, calculator_of(*recipe).todict())
        done: dict[str, set[tuple[str, str]]] = defaultdict(set)  # item -> labels, fingerprints
        old: dict[str, list[int]] = defaultdict(list)  # label -> rows of this collection
        for row in rows:
            if row.origin == crystals.origin:
                old[row.label].append(row.id)
            done[row.label.rsplit("#", 1)[0]].add((row.label, row.fingerprint))
            done[row.label].add((row.label, row.fingerprint))
        keys = crystals.keys()
        size = SHARD if settings.get("partner") is None else PARTNER_SHARD
        shards = [keys[i : i + size] for i in range(0, len(keys), size)]
        calls = [(recipe, crystals, {key: done[key] for key in shard}) for shard in shards]
        report = Screened(present=len(rows))
        for i, result in enumerate(in_parallel(_predict, calls, workers, backend, address)):
            images, failures, given = result
            names = [image.info["key_value_pairs"]["source"] for image in images]
            # what is predicted anew has changed since
            changed = [number for name in set(names) for number in old.get(name, ())]
            try:
                _write(output, images, changed)
            except DataError:
                images, errors = storable(images, names)
                if not errors:
                    raise
                failures = failures + [str(error) for error in errors]
                _write(output, images, changed)
            report.written += len(images)
            report.failures += failures
            report.given += given
            if progress:
                progress(min((i + 1) * size, len(keys)), len(keys))
    return report


def fingerprint(atoms: Atoms) -> str:
    """Hash of species, cell, positions, periodicity and magnetic moments: what a crystal is known
    by, whatever its label."""
    digest = sha256(np.asarray(atoms.numbers, dtype=np.int64).tobytes())
    digest.update(atoms.pbc.tobytes())
    for array in (atoms.cell[:], atoms.positions, atoms.get_initial_magnetic_moments()):
        # adding zero makes -0.0 the 0.0 that it is read back as
        digest.update((np.round(np.asarray(array, dtype=np.float64), 8) + 0.0).tobytes())
    return digest.hexdigest()[:16]


class _Row(NamedTuple):
    """A row of the output: its number, where its crystal came from, and what it is known by."""

    id: int
    origin: str
    label: str
    fingerprint: str


def _rows(output: str | Path, identity: dict) -> list[_Row]:
    """The crystals that are in the output, which is made if it does not exist."""
    with connect(output) as db:
        metadata, count = db.metadata, db.count()
        if METADATA not in metadata:
            if count:
                raise DataError(
                    f"{output} holds {counted(count, 'row')} of other origin: choose another name"
                )
            # the setter is that of the databases: ASE's base class has none
            db.metadata = {**metadata, METADATA: identity}  # type: ignore[misc]
        elif DEFAULTS.identity() | metadata[METADATA] != identity:  # it may be older than a setting
            raise DataError(
                f"{output} was made with {metadata[METADATA]}, this run would use {identity}: "
                "choose another name"
            )
        return [
            _Row(row.id, row.get("origin", ""), row.source, fingerprint(row.toatoms()))
            for row in db.select("source", include_data=False)
        ]


def _write(output: str | Path, images: list[Atoms], changed: list[int]) -> None:
    """Add crystals in one transaction, in the place of rows that have changed."""
    with connect(output) as db:
        if changed:
            db.delete(changed)
        write_rows(db, images)


@contextmanager
def _held(output: str | Path) -> Iterator[None]:
    """Keep a second run from writing to the same place at the same time.

    The lock is the operating system's or the server's: it is gone with the process, however that
    ends.
    """
    writer = only_writer(str(output)) if is_address(output) else _only_writer_of_file(output)
    with writer as alone:
        if not alone:
            raise DataError(
                f"another screen is writing to {output}: wait until it ends, or choose another name"
            )
        yield


@contextmanager
def _only_writer_of_file(path: str | Path) -> Iterator[bool]:
    """The same as `only_writer`, of a file."""
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


@lru_cache(maxsize=1)
def calculator_of(model: str | None, settings: tuple[tuple[str, Any], ...]) -> EqTensorCalculator:
    """The calculator with these settings, loaded once in every process."""
    return EqTensorCalculator(model, **dict(settings))


def _predict(
    recipe: tuple, crystals: Collection, task: dict[str, set[tuple[str, str]]]
) -> tuple[list[Atoms], list[str], list[str]]:
    """Frozen crystals of the items of a task, without those that are done; failures; and under
    which names data of the user's are kept that had a name of ours."""
    with warnings.catch_warnings():  # flags tell the same, and a file that matters fails the checks
        warnings.simplefilter("ignore")
        labelled = [
            (label, atoms)
            for key, done in task.items()
            for label, atoms in crystals.read(key)
            if not isinstance(atoms, Atoms) or (label, fingerprint(atoms)) not in done
        ]
        predicted, failures = calculator_of(*recipe).predictor.predict_labelled(labelled)
    images, given = [], []
    for label, atoms, prediction in predicted:
        image = freeze(atoms, prediction, label, crystals.origin)
        images.append(image)
        given += kept_as_given(atoms, image)
    return images, [str(error) for error in failures], given
