"""Where many crystals come from: files, a folder, a list of files, or an ASE database.

A collection names its items, cheaply and in a fixed order, and reads each on demand, so that other
processes can do the reading.
"""

import os
import re
from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import urlsplit

from ase import Atoms
from ase.db.core import str_represents

from ..errors import DataError, StructureError
from .database import DATABASES, connect, from_row, is_address
from .reading import STANDARD_INPUT, read_crystals

# What SQLite and a screen keep beside a database while it is written, and the database itself.
DATABASE_FILES = ("", ".lock", "-journal", "-wal", "-shm")

Crystal = tuple[str, Atoms | StructureError]  # its label, and itself or why it cannot be read


class Collection(ABC):
    """Named items with crystals in them."""

    @property
    @abstractmethod
    def origin(self) -> str:
        """The folder or database that the items are in."""

    @abstractmethod
    def without(self, output: str | Path) -> "Collection":
        """The collection without a database that is being written. Raises DataError if nothing is
        left of it."""

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

    @property
    def origin(self) -> str:
        return str(self.folder.resolve())

    def without(self, output: str | Path) -> "Files":
        if is_address(output):
            return self
        written = Path(output).resolve()
        beside = {written.name + suffix for suffix in DATABASE_FILES}

        def is_output(name: str) -> bool:
            path = (self.folder / name).resolve()
            return path.parent == written.parent and path.name in beside

        return replace(self, names=tuple(name for name in self.names if not is_output(name)))

    @cached_property
    def _names(self) -> dict[str, str]:
        return {_label(name): name for name in self.names}

    def keys(self) -> list[str]:
        return list(self._names)

    def read(self, key: str) -> Iterator[Crystal]:
        name = self._names[key]
        frames = read_crystals(name if name == STANDARD_INPUT else self.folder / name)
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
    def origin(self) -> str:
        return self.address

    def without(self, output: str | Path) -> "Rows":
        same = str(output) == self.address
        if not same and not is_address(output) and not is_address(self.address):
            same = Path(output).resolve() == Path(self.address).resolve()
        if same:
            raise DataError(f"{output} is the source itself: write to another database")
        return self

    @property
    def name(self) -> str:
        path = urlsplit(self.address).path if is_address(self.address) else self.address
        return Path(path).name

    def keys(self) -> list[str]:
        with connect(self.address) as db:
            return [f"{self.name}#{row.id}" for row in db.select(self.selection, columns=["id"])]

    def read(self, key: str) -> Iterator[Crystal]:
        with connect(self.address) as db:
            try:
                yield key, from_row(db.get(id=int(key.rsplit("#", 1)[1])))
            except Exception as error:  # ASE's decoders raise whatever a damaged row leads to
                kind = type(error).__name__
                text = f"cannot be read: the row is damaged ({kind}: {error}); write it anew"
                yield key, StructureError(text)


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
    return Files(tuple(names), Path.cwd())  # other processes may be in another folder


def open_collection(source: str, selection: str = "", pattern: str = "*") -> Collection:
    """An ASE database (by path or postgresql:// address), the files of a folder and its subfolders
    that match `pattern`, or a text file with one path on each line, relative to that file.

    Raises DataError if there is no such source, or nothing in it.
    """
    path = Path(source)
    if is_address(source) or (path.suffix in DATABASES and path.is_file()):
        address = source if is_address(source) else str(path.resolve())
        collection: Collection = Rows(address, selection)
    elif selection:
        raise DataError(f"{source} is no ASE database: only rows of one can be selected")
    elif path.is_dir():
        collection = Files(tuple(_files_in(path, pattern)), path.resolve())
    elif path.is_file():
        content = path.read_bytes().removeprefix(BOM_UTF8)
        if b"\0" in content:
            raise DataError(
                f"{source} is no text file with one path on each line: save it as UTF-8, or name "
                "files with `predict`"
            )
        folder = path.resolve().parent
        lines = [line for line in re.split("\r\n|\r|\n", os.fsdecode(content)) if line.strip()]
        # blanks belong to a name if there is such a file
        names = [line if os.path.exists(folder / line) else line.strip() for line in lines]
        collection = Files(tuple(names), folder)
    else:
        raise DataError(f"{source}: no such folder, list of files or ASE database")
    if not collection.keys():
        raise DataError(f"{source}: no crystals in it")
    return collection


def with_folders(names: Iterable[str]) -> list[str]:
    """Names of files or patterns, with the files of a folder and its subfolders in place of its
    name. A folder that is a trajectory itself stays.

    Raises DataError for a folder without files.
    """
    found: list[str] = []
    for name in names:
        folder = Path(name)
        if not folder.is_dir() or (folder / "metadata.json").exists():
            found.append(name)
            continue
        inside = _files_in(folder)
        if not inside:
            raise DataError(f"{name}: no files in this folder")
        found += [str(folder / file) for file in inside]
    return found


def _files_in(folder: Path, pattern: str = "*") -> list[str]:
    """Files of a folder and its subfolders, relative to it; hidden ones are left out."""
    files = (file for file in sorted(folder.rglob(pattern)) if file.is_file())
    relative = (file.relative_to(folder) for file in files)
    return [n.as_posix() for n in relative if not any(p.startswith(".") for p in n.parts)]


def _label(name: str) -> str:
    """The name as it can be printed and kept: bytes that are no text are escaped, and ASE databases
    refuse text that reads as a number, as file names of digits do."""
    signs = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    label = "".join(signs)
    numeric = any(str_represents(label, kind) for kind in (bool, int, float))
    return f"./{label}" if numeric else label
