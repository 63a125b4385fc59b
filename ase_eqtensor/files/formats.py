"""Files of crystals with their tensors: extended XYZ, trajectories, JSON, SQLite, PostgreSQL."""

from collections.abc import Sequence
from pathlib import Path

import ase.io
from ase import Atoms

from ..errors import DataError
from ..models.upgrade import upgrade_record
from ..storage import check_place, complete_file
from .database import connect, from_row, is_address, write_rows
from .frozen import RECORD

DATABASES = (".db", ".json")
FILES = (".extxyz", ".traj")


def save(path: str | Path, images: Sequence[Atoms], overwrite: bool = False) -> None:
    """Write crystals made by `freeze` to one file: .extxyz, .traj, .db, .json (both ASE databases)
    or a postgresql:// address.

    A file appears under its name only when it is complete. Rows are added to a PostgreSQL database.

    Raises:
        OutputExistsError: there is such a file, and `overwrite` is False.
        DataError: another kind of file.
    """
    if is_address(path):
        with connect(path) as db:
            write_rows(db, images)
        return
    path = Path(path)
    check_output(path, overwrite)
    with complete_file(path) as part:
        if path.suffix in DATABASES:
            with connect(part) as db:
                write_rows(db, images)
        else:
            ase.io.write(part, images)


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
        images = list(ase.io.iread(path, ":"))
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
