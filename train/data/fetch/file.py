"""The file of fetched answers: newline-delimited JSON, which grows while it is fetched.

The first line is the header: source, database version, client library, licence, citation, date and
the number of answers wanted. Every other line is what the database said about one property set of
one material, untouched:

    {"property_set": "elasticity", "id": "mp-149", "answer": {"documents": [{...}]}}
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.lines import LineFile, dump, torn

logger = logging.getLogger(__name__)

Key = tuple[str, str]  # property set, id


class Answer(NamedTuple):
    """What a database said about one property set of one material."""

    property_set: str
    id: str
    content: dict


def _answer(entry: dict) -> Answer:
    return Answer(entry["property_set"], entry["id"], entry["answer"])


FETCHED = LineFile(
    format="eqtensor-fetched-1",
    command="eqtensor data fetch",
    fixed=("source", "database_version"),
    key=lambda entry: _answer(entry)[:2],
)


def line(property_set: str, id: str, content: dict) -> bytes:
    """One answer as a line of the file."""
    return dump({"property_set": property_set, "id": id, "answer": content})


def begin_or_resume(path: Path, header: dict) -> set[Key]:
    """Make `path` ready for appending, and return the keys of the answers that it holds.

    As `LineFile.begin_or_resume`; a file begun with another source or database version is refused.
    """
    return {_answer(entry)[:2] for entry in FETCHED.begin_or_resume(path, header)}


def read_header(path: Path) -> dict:
    """The header of a fetched file. Raises DataError if there is none."""
    return FETCHED.read_header(path)


def read_answers(path: Path, source: str) -> Iterator[Answer]:
    """All answers of a file fetched from `source`, in the order in which they came.

    An unfinished fetch is logged as a warning. Raises DataError if `path` is not such a file, was
    fetched from another source, or has a damaged or incomplete line.
    """
    header = read_header(path)
    if header["source"] != source:
        raise DataError(f"{path} was fetched from {header['source']}, not from {source}")
    if torn(path):
        raise DataError(
            f"the last line of {path} is torn (a fetch was killed): run `eqtensor data fetch "
            f"{header['source']} {path}` again, which mends it and goes on"
        )
    count = 0
    for entry in FETCHED.read(path):
        count += 1
        yield _answer(entry)
    if count < header["wanted"]:
        command = f"eqtensor data fetch {source} {path}"
        wanted = header["wanted"]
        logger.warning("%s holds %d of %d answers: `%s` goes on", path, count, wanted, command)
