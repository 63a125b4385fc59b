"""Files of newline-delimited JSON that grow line by line and go on after a kill.

The first line is a header with the `format`; every other line is an object with a key of its own.
Reading takes such a file gzipped, too.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedIOBase
from pathlib import Path

from ase_eqtensor.errors import DataError
from ase_eqtensor.storage import complete_file


@dataclass(frozen=True)
class LineFile:
    """A kind of such files.

    format: its name and version, in every header.
    command: what writes it, for messages: "eqtensor data fetch".
    fixed: fields of the header that must not change when a file is gone on with.
    key: what tells one line from another; raises LookupError, TypeError or ValueError for an
        object that is no line of such a file.
    """

    format: str
    command: str
    fixed: tuple[str, ...]
    key: Callable[[dict], tuple]

    def begin_or_resume(self, path: Path, header: dict) -> list[dict]:
        """Make `path` ready for appending, and return the objects that it holds.

        A new file appears with its header complete. An incomplete last line, which a killed run
        leaves, is cut off. Raises DataError if `path` is not such a file, holds a damaged line, or
        was begun with other values of the fixed fields.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            begun = datetime.now(UTC).isoformat(timespec="seconds")
            with complete_file(path) as unfinished:
                unfinished.write_bytes(dump({"format": self.format} | header | {"begun": begun}))
            return []
        existing = self.read_header(path)
        for name in self.fixed:
            if existing.get(name) != header[name]:
                raise DataError(
                    f"{path} was begun with {name.replace('_', ' ')} {existing.get(name)!r}, not "
                    f"{header[name]!r}: write to a new file, so that the two are not mixed"
                )
        entries = list(self.read(path))
        with path.open("rb+") as stream:
            stream.truncate(sum(map(len, _complete_lines(path))))
        return entries

    def read_header(self, path: Path) -> dict:
        """The header of a file. Raises DataError if there is none."""
        try:
            with _open(path) as stream:
                header = json.loads(stream.readline())
            if header["format"] == self.format:
                return header
            problem = f"its format is {header['format']!r}, expected {self.format!r}"
        except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
            problem = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is not a file of `{self.command}` ({problem})")

    def read(self, path: Path) -> Iterator[dict]:
        """The objects of the complete lines, in the order in which they were written.

        Raises DataError if a line is damaged, or two have the same key.
        """
        seen = set()
        for number, text in enumerate(_complete_lines(path), start=1):
            if number == 1:
                continue
            try:
                entry = json.loads(text)
                key = self.key(entry)
            except (ValueError, LookupError, TypeError) as error:
                raise DataError(
                    f"{path}: line {number} is damaged ({error}): delete it and run "
                    f"`{self.command}` again"
                ) from error
            if key in seen:
                name = " of ".join(map(str, key))
                raise DataError(f"{path}: line {number} repeats {name}: delete it")
            seen.add(key)
            yield entry


def torn(path: Path) -> bool:
    """Whether the last line is incomplete."""
    with _open(path) as stream:
        return any(not text.endswith(b"\n") for text in stream)


def dump(entry: dict) -> bytes:
    """An object as a line."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _complete_lines(path: Path) -> Iterator[bytes]:
    with _open(path) as stream:
        yield from (text for text in stream if text.endswith(b"\n"))


def _open(path: Path) -> BufferedIOBase:
    path = Path(path)
    return gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
