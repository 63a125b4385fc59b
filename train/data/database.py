"""The training database: one ASE SQLite file, one row per crystal and data set.

Key-value pairs hold what rows are selected by (data set, fold, quarantine, scalar targets), `data`
the tensors, in the shapes and units of `DATASETS` and the Cartesian frame of the row's atoms. The
rows that curation rejected or quarantined are listed in a CSV beside the file.
"""

import csv
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import ase.db
import numpy as np
from rich.progress import track

from ase_eqtensor.errors import DataError
from ase_eqtensor.storage import complete_file, refuse_existing
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import DATASETS, columns


@dataclass
class BuildReport:
    """What went into a database.

    path: the database.
    rows: number of rows per (data set, fold), quarantined ones included.
    problems: the rejected and quarantined rows.
    """

    path: Path
    rows: Counter = field(default_factory=Counter)
    problems: list[Rejection] = field(default_factory=list)

    @property
    def problems_path(self) -> Path:
        """The CSV with the rejected and quarantined rows, next to the database."""
        return self.path.with_name(f"{self.path.stem}_rejected.csv")

    def reasons(self) -> Counter:
        """Number of rows per (data set, action, reason without its figures)."""
        return Counter((p.dataset, p.action, p.reason.split(":")[0]) for p in self.problems)


def build_database(
    path: Path, sources: Iterable[Source], overwrite: bool = False, progress: bool = False
) -> BuildReport:
    """Curate everything that `sources` yield and write the database and its CSV of problems.

    Raises OutputExistsError if one of the two exists and `overwrite` is False, DataError if a
    source cannot be read or no usable row is left; existing files are then untouched.
    """
    report, records = BuildReport(Path(path)), []
    for file in (report.path, report.problems_path):
        refuse_existing(file, overwrite)
    for source in sources:
        for row in track(source.records(), source.name, disable=not progress):
            row = curate(row) if isinstance(row, Record) else row
            if isinstance(row, Rejection):
                report.problems.append(row)
                continue
            records.append(row)
            report.rows[row.dataset, row.fold] += 1
            if row.quarantine:
                report.problems.append(_quarantined(row))
    if not records:
        raise DataError(f"nothing to write to {path}: the sources have no usable row")
    write_database(path, records, overwrite=overwrite, progress=progress)
    _write_problems(report)
    return report


def write_database(
    path: Path, records: Iterable[Record], overwrite: bool = False, progress: bool = False
) -> None:
    """Write curated records to an ASE SQLite file; it appears under its name only when complete.

    Raises OutputExistsError if the file exists and `overwrite` is False.
    """
    path = Path(path)
    refuse_existing(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        complete_file(path) as unfinished,
        ase.db.connect(unfinished, type="db", use_lock_file=False) as db,
    ):
        for record in track(records, "writing", disable=not progress):
            pairs, data = _row(record)
            db.write(record.atoms, key_value_pairs=pairs, data=data)


def read_database(path: Path, datasets: Iterable[str] | None = None) -> list[Record]:
    """The records of a database, all or those of the named data sets, in the order written.

    Raises DataError if there is no such file, or a data set is unknown or has no rows in it.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no training database at {path}: make it with `eqtensor data build`")
    wanted = set(DATASETS) if datasets is None else set(datasets)
    for name in wanted - set(DATASETS):
        raise DataError(f"unknown data set {name!r}: choose from {', '.join(DATASETS)}")
    try:
        # one pass over the table is much faster than one ASE selection per data set
        with ase.db.connect(path, type="db", use_lock_file=False) as db:
            records = [_record(row) for row in db.select() if row.get("dataset") in wanted]
    except (sqlite3.DatabaseError, KeyError) as error:
        raise DataError(
            f"{path} is not a training database of `eqtensor data build`: {error}"
        ) from error
    if not records:
        raise DataError(f"{path} has no row of {', '.join(sorted(wanted))}")
    for name in wanted - {r.dataset for r in records} if datasets is not None else ():
        raise DataError(f"{path} has no rows of the data set {name!r}: build it with its source")
    return records


def _row(record: Record) -> tuple[dict, dict]:
    pairs = {
        "dataset": record.dataset,
        "source": record.source,
        "source_id": _quoted(record.source_id),
        "reduced_formula": _quoted(record.reduced_formula),
        "fold": record.fold,
        "in_val": int(record.in_val),
        "quarantine": record.quarantine,
        "frame_deviation": record.frame_deviation,
    }
    shapes = columns()
    numbers = {k: float(v) for k, v in record.targets.items() if shapes[k] == ()}
    tensors = {k: np.asarray(v) for k, v in record.targets.items() if shapes[k] != ()}
    return pairs | numbers, tensors


def _record(row) -> Record:
    pairs = row.key_value_pairs
    shapes = columns()
    numbers = {k: v for k, v in pairs.items() if shapes.get(k) == ()}
    tensors = {k: np.asarray(v) for k, v in row.data.items() if k in shapes}
    return Record(
        atoms=row.toatoms(),
        dataset=pairs["dataset"],
        source=pairs["source"],
        source_id=pairs["source_id"].strip("'"),
        targets=tensors | numbers,
        quarantine=pairs["quarantine"],
        frame_deviation=pairs["frame_deviation"],
        reduced_formula=pairs["reduced_formula"].strip("'"),
    )


def _quoted(text: str) -> str:
    """ASE refuses text that reads as a number (the formulas NaN and InF): store it in quotes."""
    try:
        float(text)
    except ValueError:
        return text
    return f"'{text}'"


def _quarantined(record: Record) -> Rejection:
    return Rejection(
        record.dataset, record.source_id, record.reduced_formula, record.quarantine, "quarantined"
    )


def _write_problems(report: BuildReport) -> None:
    with report.problems_path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["dataset", "source_id", "formula", "action", "reason"])
        for p in report.problems:
            writer.writerow([p.dataset, p.source_id, p.formula, p.action, p.reason])
