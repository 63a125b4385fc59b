"""The file of fetched answers: newline-delimited JSON, which grows while it is fetched.

The first line is the header: source, database version, client library, licence, citation, date and
the number of answers wanted. Every other line is what the database said about one property set of
one material, untouched:

    {"property_set": "elasticity", "id": "mp-149", "answer": {"documents": [{...}]}}
"""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ase_eqtensor.errors import DataError
from ase_eqtensor.storage import complete_file

FORMAT = "eqtensor-fetched-1"

logger = logging.getLogger(__name__)

Key = tuple[str, str]  # property set, id


class Answer(NamedTuple):
    """What a database said about one property set of one material."""

    property_set: str
    id: str
    content: dict


def line(property_set: str, id: str, content: dict) -> bytes:
    """One answer as a line of the file."""
    return _dump({"property_set": property_set, "id": id, "answer": content})


def begin_or_resume(path: Path, header: dict) -> set[Key]:
    """Make `path` ready for appending, and return the keys of the answers that it holds.

    A new file appears with its header complete. An incomplete last line, which a killed fetch
    leaves, is cut off. Raises DataError if `path` is not such a file, holds a damaged line, or was
    begun with another source or database version.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        with complete_file(path) as unfinished:
            unfinished.write_bytes(_dump({"format": FORMAT} | header | {"begun": begun}))
        return set()
    existing = read_header(path)
    for name in ("source", "database_version"):
        if existing[name] != header[name]:
            raise DataError(
                f"{path} was begun with {name.replace('_', ' ')} {existing[name]!r}, not "
                f"{header[name]!r}: fetch to a new file, so that the two are not mixed"
            )
    done = {(answer.property_set, answer.id) for answer in _answers(path)}
    with path.open("rb+") as stream:
        stream.truncate(sum(map(len, _complete_lines(path))))
    return done


def read_header(path: Path) -> dict:
    """The header of a fetched file. Raises DataError if there is none."""
    try:
        with Path(path).open("rb") as stream:
            header = json.loads(stream.readline())
        if header["format"] == FORMAT:
            return header
        problem = f"its format is {header['format']!r}, expected {FORMAT!r}"
    except (OSError, ValueError, LookupError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}"
    raise DataError(f"{path} is not a file of `eqtensor data fetch` ({problem})")


def read_answers(path: Path, source: str) -> Iterator[Answer]:
    """All answers of a file fetched from `source`, in the order in which they came.

    An unfinished fetch is logged as a warning. Raises DataError if `path` is not such a file, was
    fetched from another source, or has a damaged or incomplete line.
    """
    header = read_header(path)
    if header["source"] != source:
        raise DataError(f"{path} was fetched from {header['source']}, not from {source}")
    if Path(path).stat().st_size != sum(map(len, _complete_lines(path))):
        raise DataError(
            f"the last line of {path} is torn (a fetch was killed): run `eqtensor data fetch "
            f"{header['source']} {path}` again, which mends it and goes on"
        )
    count = 0
    for answer in _answers(path):
        count += 1
        yield answer
    if count < header["wanted"]:
        command = f"eqtensor data fetch {source} {path}"
        wanted = header["wanted"]
        logger.warning("%s holds %d of %d answers: `%s` goes on", path, count, wanted, command)


def _answers(path: Path) -> Iterator[Answer]:
    seen = set()
    for number, text in enumerate(_complete_lines(path), start=1):
        if number == 1:
            continue
        try:
            entry = json.loads(text)
            answer = Answer(entry["property_set"], entry["id"], entry["answer"])
        except (ValueError, LookupError, TypeError) as error:
            raise DataError(
                f"{path}: line {number} is damaged ({error}): delete it and fetch again"
            ) from error
        if answer[:2] in seen:
            raise DataError(
                f"{path}: line {number} repeats {answer.property_set} of {answer.id}: delete it"
            )
        seen.add(answer[:2])
        yield answer


def _complete_lines(path: Path) -> Iterator[bytes]:
    with Path(path).open("rb") as stream:
        yield from (text for text in stream if text.endswith(b"\n"))


def _dump(entry: dict) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
