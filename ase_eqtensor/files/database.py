"""ASE databases: SQLite, JSON and PostgreSQL; rows with tensors and with keys to select on."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import ase.db
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db.core import Database
from ase.spacegroup import Spacegroup

from ..errors import DataError
from ..extras import extra
from ..quantities import stored
from .frozen import RECORD, results_of_others, searchable

GIVEN = "given_"  # before a key of the user's that has the name of one of ours


def is_address(path: str | Path) -> bool:
    """Whether it is the address of a PostgreSQL database rather than a file."""
    return str(path).startswith(("postgresql://", "postgres://"))


def connect(path: str | Path) -> AbstractContextManager[Database]:
    """An ASE database for reading and writing, SQLite, JSON or PostgreSQL, for a `with` statement.

    Without lock files: those of a killed process would block the next one for good, and SQLite has
    locks of its own. Raises MissingExtraError for PostgreSQL without its extra.
    """
    if is_address(path):
        with extra("postgres"):
            import ase_db_backends.postgresql  # noqa: F401 (ASE's connect needs it)
            import psycopg2  # noqa: F401
    return ase.db.connect(path, use_lock_file=False)


def write_rows(db: Database, images: Iterable[Atoms]) -> None:
    """Add crystals made by `freeze` to an open ASE database; `searchable` says by which keys.

    Key-value pairs of the crystal itself (`info["key_value_pairs"]`) are kept, as given_NAME where
    the name is one of ours; the rest of its info is `row.data["info"]`, the space group of ASE's
    CIF reader as its number.

    Raises DataError if something else in the info of a crystal cannot be stored.
    """
    for image in images:
        info = dict(image.info)
        results = image.calc.results if image.calc else {}
        data = {}
        for name, quantity in stored().items():
            place = results if name in all_properties else info
            if quantity.key in place:
                data[quantity.key] = place[quantity.key]
                info.pop(quantity.key, None)
        if RECORD in info:
            data[RECORD] = info.pop(RECORD)
        ours = searchable(image)
        pairs = {
            (GIVEN + key if key in ours else key): value
            for key, value in info.pop("key_value_pairs", {}).items()
        }
        if isinstance(info.get("spacegroup"), Spacegroup):
            info["spacegroup"] = info["spacegroup"].no
        try:
            db.write(image, key_value_pairs=pairs | ours, data={**data, "info": info})
        except (AttributeError, TypeError, ValueError) as error:  # whatever ASE's encoder meets
            raise DataError(
                f"{image.get_chemical_formula()}: its info cannot be stored in a database "
                f"({error}); remove what is neither text, number nor array from {sorted(info)}"
            ) from error


def from_row(row) -> Atoms:
    """Atoms as `freeze` made them of a row that `write_rows` wrote; of any other row, its atoms."""
    atoms, data = row.toatoms(), dict(row.data)
    atoms.info |= data.pop("info", {})
    if row.key_value_pairs:
        atoms.info["key_value_pairs"] = row.key_value_pairs
    results = results_of_others(atoms)
    ours = {key: data.pop(key) for key in stored() if key in all_properties and key in data}
    if ours:
        atoms.calc = SinglePointCalculator(atoms, **results | ours)
    atoms.info |= data
    return atoms
