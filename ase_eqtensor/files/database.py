"""ASE databases: SQLite, JSON and PostgreSQL; rows with tensors and with keys to select on."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import ase.db
import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db.core import Database
from ase.spacegroup import Spacegroup

from ..crystal.validation import describe
from ..errors import DataError
from ..extras import extra
from ..quantities import stored
from .frozen import GIVEN, PAIRS, RECORD, results_of_others, searchable

DATABASES = (".db", ".json")  # endings of files that ASE keeps databases in
SCREENING_LOCK = 0x65717465  # "eqte": PostgreSQL knows its advisory locks by number


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


@contextmanager
def only_writer(address: str) -> Iterator[bool]:
    """Whether no other process holds the lock of this PostgreSQL database, which is ours then until
    the `with` statement ends. Raises MissingExtraError without the extra, DataError if the server
    does not answer."""
    with extra("postgres"):
        import psycopg2
    try:
        connection = psycopg2.connect(address)
    except psycopg2.OperationalError as error:
        raise DataError(f"{address}: the database cannot be reached ({error})") from error
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (SCREENING_LOCK,))
        alone = bool(cursor.fetchone()[0])
        try:
            yield alone
        finally:
            # the server notices the end of a connection too late for whoever comes next; if it is
            # gone, so is the lock
            if alone:
                with suppress(psycopg2.Error):
                    cursor.execute("SELECT pg_advisory_unlock(%s)", (SCREENING_LOCK,))


def write_rows(db: Database, images: Iterable[Atoms]) -> None:
    """Add crystals made by `freeze` to an open ASE database; `searchable` says by which keys.

    Key-value pairs of the crystal itself (`info["key_value_pairs"]`) are kept, as given_NAME where
    the name is one of ours; the rest of its info is `row.data["info"]`, the space group of ASE's
    CIF reader as its number.

    Raises DataError if something else in the info of a crystal cannot be stored.
    """
    for image in images:
        try:
            pairs, data = _entries(image)
            db.write(image, key_value_pairs=pairs, data=data)
        # whatever ASE's encoder meets
        except (AttributeError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise DataError(
                f"{describe(image)}: its info cannot be stored in a database "
                f"({error}); remove what is neither text, number nor array from "
                f"{sorted(map(str, image.info))}"
            ) from error


def _entries(image: Atoms) -> tuple[dict, dict]:
    """Key-value pairs and data of a row."""
    info = dict(image.info)
    results = image.calc.results if image.calc else {}
    data = {}
    for name, quantity in stored().items():
        place = results if name in all_properties else info
        if quantity.key in place:
            data[quantity.key] = place[quantity.key]
        if place is info:
            info.pop(quantity.key, None)
    if RECORD in info:
        data[RECORD] = info.pop(RECORD)
    ours = searchable(image)
    given = {
        (GIVEN + key if key in ours else key): value for key, value in info.pop(PAIRS, {}).items()
    }
    if isinstance(info.get("spacegroup"), Spacegroup):
        info["spacegroup"] = info["spacegroup"].no
    return plain(given | ours), {**data, "info": plain(info)}


def plain(value):
    """Numbers of numpy, also inside of dictionaries and lists, as Python's own, which databases
    take; keys as text."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return plain(value.tolist()) if value.dtype.kind in "OUSmM" or not value.ndim else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {str(plain(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(entry) for entry in value]
    return value


def from_row(row) -> Atoms:
    """Atoms as `freeze` made them of a row that `write_rows` wrote; of any other row, its atoms."""
    atoms, data = row.toatoms(), dict(row.data)
    atoms.info |= data.pop("info", {})
    if row.key_value_pairs:
        atoms.info[PAIRS] = row.key_value_pairs
    results = results_of_others(atoms)
    ours = {
        name: data.pop(name)
        for name, quantity in stored().items()
        if name in all_properties and _is_tensor(data.get(name), quantity.shape)
    }
    if ours:
        atoms.calc = SinglePointCalculator(atoms, **results | ours)
    atoms.info |= data
    return atoms


def _is_tensor(value, shape: tuple[int, ...]) -> bool:
    """Whether a value of a row is an array of numbers of a shape, rather than what a user may keep
    under the same name."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        return False
    return array.shape == shape and array.dtype.kind in "fiu"
