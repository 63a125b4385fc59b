"""Files of crystals with their tensors: extended XYZ, trajectories, JSON, SQLite, PostgreSQL."""

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ase.io
from ase import Atoms

from ..crystal.validation import describe
from ..errors import DataError, UnwritableError, located
from ..models.upgrade import upgrade_record
from ..storage import check_place, complete_file
from .database import DATABASES, connect, from_row, is_address, write_rows
from .extxyz import writable
from .frozen import RECORD

FILES = (".extxyz", ".traj")


def save(path: str | Path, images: Sequence[Atoms], overwrite: bool = False) -> None:
    """Write crystals made by `freeze` to one file: .extxyz, .traj, .db, .json (both ASE databases)
    or a postgresql:// address.

    A file appears under its name only when it is complete. Rows are added to a PostgreSQL database.

    Raises:
        OutputExistsError: there is such a file, and `overwrite` is False.
        DataError: another kind of file, or a crystal that it cannot hold.
        UnwritableError: a disk that is full, a database out of reach, ...
    """
    try:
        if is_address(path):
            with connect(path) as db:
                write_rows(db, images)
            return
        path = Path(path)
        check_output(path, overwrite)
        with complete_file(path) as part:
            _write(part, images)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, DataError):
            raise
        raise UnwritableError(
            f"{path}: cannot be written ({error}); make room there, or choose another place"
        ) from error


def _write(path: Path, images: Sequence[Atoms]) -> None:
    if path.suffix in DATABASES:
        with connect(path) as db:
            write_rows(db, images)
        return
    try:
        if path.suffix == ".extxyz":
            images = [writable(atoms) for atoms in images]
        # an open file, because ASE takes what follows an @ in a name for an index
        with path.open("wb" if path.suffix == ".traj" else "w") as file:
            ase.io.write(file, images, format=path.suffix[1:])
    # whatever ASE's encoders meet
    except (AttributeError, TypeError, ValueError, KeyError, RecursionError) as error:
        formulas = ", ".join(dict.fromkeys(describe(atoms) for atoms in images[:3]))
        raise DataError(
            f"{formulas}: info or arrays cannot be stored in a {path.suffix} file ({error}); "
            "remove what is neither text, number nor array"
        ) from error


def storable(
    images: Sequence[Atoms], labels: Sequence[str], suffix: str = ".db"
) -> tuple[list[Atoms], list[DataError]]:
    """Those of the crystals that a file of a kind can hold, and why the others cannot be stored,
    each error with the label of its crystal.

    Every crystal is written to a file of its own for it: for the case that all at once failed.
    """
    good: list[Atoms] = []
    failures: list[DataError] = []
    with tempfile.TemporaryDirectory() as folder:
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            part = Path(folder) / f"{i}{suffix}"
            try:
                _write(part, [image])
                good.append(image)
            except DataError as error:
                failures.append(located(error, label))
            part.unlink(missing_ok=True)
    return good, failures


def load(path: str | Path) -> list[Atoms]:
    """The crystals of a file written by `save`, each as `freeze` made it.

    Rows of a database have their key-value pairs in `info["key_value_pairs"]`, as ASE names them.
    Records of older versions come in today's form.

    Raises DataError if there is no such file.
    """
    if not is_address(path) and not Path(path).is_file():
        raise DataError(f"no file {path}")
    if is_address(path) or Path(path).suffix in DATABASES:
        with connect(path) as db:
            images = [from_row(row) for row in db.select()]
    else:
        images = list(ase.io.iread(path, ":", do_not_split_by_at_sign=True))
    for image in images:
        if "uncertainty" in image.info.get(RECORD, {}):
            image.info[RECORD] = upgrade_record(image.info[RECORD])
    return images


def check_output(path: Path, overwrite: bool = False) -> None:
    """Raise DataError if `save` cannot write such a file, OutputExistsError if it would replace one
    without `overwrite`; before work is done in vain."""
    if path.suffix not in DATABASES + FILES:
        kinds = ", ".join(DATABASES + FILES)
        raise DataError(f"{path}: cannot keep tensors in such a file; choose one of {kinds}")
    check_place(path, overwrite)
