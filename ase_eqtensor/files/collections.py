"""Where many crystals come from: files, a folder, a list of files, or an ASE database.

A collection names its items, cheaply and in a fixed order, and reads each on demand, so that other
processes can do the reading.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import urlsplit

import ase.io
from ase import Atoms
from ase.db.core import str_represents

from ..errors import DataError, StructureError
from .database import connect, from_row, is_address

Crystal = tuple[str, Atoms | StructureError]  # its label, and itself or why it cannot be read


class Collection(ABC):
    """Named items with crystals in them."""

    @abstractmethod
    def keys(self) -> list[str]:
        """The items, each once, in order."""

    @abstractmethod
    def read(self, key: str) -> Iterator[Crystal]:
        """The crystals of an item, each with its label: the key of the item, and #0, #1, ... after
        it where the item has several."""


@dataclass(frozen=True)
class Files(Collection):
    """Files in any format that ASE reads, with all their frames.

    names: paths as they appear in labels, relative to `folder`.
    """

    names: tuple[str, ...]
    folder: Path = Path()

    def keys(self) -> list[str]:
        return [_label(name) for name in dict.fromkeys(self.names)]

    def read(self, key: str) -> Iterator[Crystal]:
        try:
            frames = ase.io.read(self.folder / key, ":")
        except Exception as error:  # ASE's readers raise whatever a broken file leads to
            text = str(error) or type(error).__name__
            yield key, StructureError(f"cannot be read: {text}")
            return
        if not frames:
            yield key, StructureError("cannot be read: there is no crystal in it")
        for index, atoms in enumerate(frames):
            yield key if len(frames) == 1 else f"{key}#{index}", atoms


@dataclass(frozen=True)
class Rows(Collection):
    """Rows of an ASE database, labelled NAME#ID; their key-value pairs come along in
    `info["key_value_pairs"]`.

    address: path of the file, or a postgresql:// address.
    selection: an ASE query such as "natoms<20,dataset=elastic"; empty for all rows.
    """

    address: str
    selection: str = ""

    @property
    def name(self) -> str:
        path = urlsplit(self.address).path if is_address(self.address) else self.address
        return Path(path).name

    def keys(self) -> list[str]:
        with connect(self.address) as db:
            return [f"{self.name}#{row.id}" for row in db.select(self.selection, columns=["id"])]

    def read(self, key: str) -> Iterator[Crystal]:
        with connect(self.address) as db:
            yield key, from_row(db.get(id=int(key.rsplit("#", 1)[1])))


def expand(patterns: Iterable[str]) -> Files:
    """Files by name, or by patterns such as "cifs/*.cif" where the shell left them alone.

    Raises DataError if a pattern matches nothing. A file that does not exist is found out when it
    is read.
    """
    names: list[str] = []
    for pattern in patterns:
        if Path(pattern).exists() or not has_magic(pattern):
            names.append(pattern)
            continue
        matches = sorted(glob(pattern, recursive=True))
        if not matches:
            raise DataError(f"no file matches {pattern!r}")
        names += matches
    return Files(tuple(names))


def open_collection(source: str, selection: str = "", pattern: str = "*") -> Collection:
    """An ASE database (by path or postgresql:// address), the files of a folder and its subfolders
    that match `pattern`, or a text file with one path on each line, relative to that file.

    Raises DataError if there is no such source, or nothing in it.
    """
    path = Path(source)
    if is_address(source) or (path.suffix in (".db", ".json") and path.is_file()):
        address = source if is_address(source) else str(path.resolve())
        collection: Collection = Rows(address, selection)
    elif selection:
        raise DataError(f"{source} is no ASE database: only rows of one can be selected")
    elif path.is_dir():
        files = (file for file in sorted(path.rglob(pattern)) if file.is_file())
        names = (file.relative_to(path) for file in files)
        visible = [n.as_posix() for n in names if not any(p.startswith(".") for p in n.parts)]
        collection = Files(tuple(visible), path.resolve())
    elif path.is_file():
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{source} is no text file with one path on each line") from error
        collection = Files(
            tuple(line.strip() for line in lines if line.strip()), path.resolve().parent
        )
    else:
        raise DataError(f"{source}: no such folder, list of files or ASE database")
    if not collection.keys():
        raise DataError(f"{source}: no crystals in it")
    return collection


def _label(name: str) -> str:
    """ASE databases refuse text that reads as a number, as file names of digits do."""
    numeric = any(str_represents(name, kind) for kind in (bool, int, float))
    return f"./{name}" if numeric else name
