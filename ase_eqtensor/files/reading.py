"""Reads crystals from files: one way in for every command.

ASE does the reading. What it does of its own accord with names (`@` splits off an index, some words
in a name choose a format) is not done: a name is taken literally, and its ending decides. CIF has
checks of its own, see cif.py.
"""

import codecs
import io
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import ase.io
from ase import Atoms
from ase.io.formats import UnknownFileTypeError, filetype, ioformats, open_with_compression

from ..errors import EqTensorError, StructureError, located
from .cif import read_cif, reason_of
from .database import DATABASES, connect, from_row
from .pymatgen_json import crystals, is_pymatgen_json

STANDARD_INPUT = "-"
JSON = ".json"  # ASE's databases, or pymatgen's structures
START = 4096  # bytes of a file by which its kind is told
CIF = (".cif", ".mcif")
EXTENDED_XYZ = (".extxyz", ".xyz")
# mostly something else, though ASE takes .md for CASTEP's, and POSCAR.html, a report, for VASP's
NO_CRYSTALS = (".md", ".html")
COMPRESSIONS = (".gz", ".bz2", ".xz")
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip

Frame = Atoms | StructureError


def read_crystals(path: str | Path) -> list[Frame]:
    """All crystals of a file in any format that ASE reads, or why one of them cannot be read.

    Args:
        path: of the file, compressed (.gz, .bz2, .xz) or not, taken literally; "-" is standard
            input, the format of which is told from its content.

    Returns:
        Never an empty list: a file without crystals, or no file, gives one StructureError, whose
        message says what is wrong and what to do, without the name of the file.
    """
    if str(path) == STANDARD_INPUT:
        return _read_copy(sys.stdin.buffer.read(), "stdin")
    path = Path(path)
    try:
        if is_folder(path):
            return [StructureError(_cannot("it is a folder: name the files in it"))]
        if not path.exists():
            return [StructureError(_cannot(f"there is no such file ({path})"))]
        if not path.is_dir() and not path.is_file():  # a pipe can be read once only
            return _read_copy(path.read_bytes(), path.name)
        frames = list(_frames(path))
    except UnknownFileTypeError:
        text = "ASE knows no such format: convert it to CIF, POSCAR or extended XYZ"
        frames = [StructureError(_cannot(text))]
    except EqTensorError as error:
        frames = [StructureError(_cannot(str(error)))]
    except OSError as error:
        frames = [StructureError(_cannot(f"{error.strerror or error}; check the file"))]
    except Exception as error:  # ASE's readers raise whatever a broken file leads to
        frames = [_damaged(error)]
    return frames or [StructureError(_cannot("there is no crystal in it"))]


def first_crystal(path: str | Path) -> Atoms:
    """The first crystal of a file. Raises StructureError, naming the file, where it cannot be
    read."""
    first = read_crystals(path)[0]
    if isinstance(first, StructureError):
        raise located(first, str(path))
    return first


def is_folder(path: Path) -> bool:
    """Whether it is a folder, and none that ASE keeps a trajectory in."""
    return path.is_dir() and not (path / "metadata.json").exists()


def is_crystal_file(path: Path) -> bool:
    """Whether ASE has a reader for a file of this name or beginning; it may be damaged all the
    same."""
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    suffix = inner.suffix.lower()
    if suffix in CIF + EXTENDED_XYZ:
        return True
    if suffix in NO_CRYSTALS:
        return False
    if suffix in DATABASES:
        return _is_database(path) or (suffix == JSON and is_pymatgen_json(_bytes(path, START)))
    try:
        kind = ioformats.get(filetype(str(path.absolute())))
    except (UnknownFileTypeError, OSError):
        return False
    return kind is not None and kind.can_read


def _frames(path: Path) -> Iterator[Frame]:
    inner = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    suffix = inner.suffix.lower()
    if path.is_file() and path.stat().st_size == 0:
        raise StructureError("the file is empty")
    if path.is_dir():
        kind = "bundletrajectory"
    elif suffix in CIF:
        kind = "cif"
    elif suffix in EXTENDED_XYZ:
        kind = "extxyz"
    elif suffix in DATABASES and inner is path and _is_database(path):
        yield from _rows(path)
        return
    elif suffix == JSON and is_pymatgen_json(_bytes(path, START)):
        yield from _told(crystals(_text(path)))
        return
    else:
        # by an absolute path, because names such as postgres.vasp read as addresses otherwise
        kind = filetype(str(path.absolute()))
    if kind == "vasp":
        _check_announced(_text(path).splitlines())
    if kind == "cif":
        yield from _told(read_cif(_text(path)))
    elif kind == "extxyz":
        yield from _extended_xyz(_text(path))
    elif (marked := _bytes(path, 4)) and marked.startswith(tuple(mark for mark, _ in MARKS)):
        yield from ase.io.read(io.StringIO(_text(path)), ":", format=kind)
    else:
        frames = ase.io.iread(str(path.absolute()), ":", format=kind, do_not_split_by_at_sign=True)
        yield from _until_damaged(frames)


def _told(found: Iterable[Frame]) -> Iterator[Frame]:
    """Crystals, and errors that begin as all of reading do."""
    for crystal in found:
        failed = isinstance(crystal, StructureError)
        yield StructureError(_cannot(str(crystal))) if failed else crystal


def _check_announced(lines: list[str]) -> None:
    """Raise StructureError for a POSCAR that announces more atoms than it has lines: ASE would make
    room for all of them first."""
    for line in lines[5:7]:  # after the names of the species, which older files lack
        counts = line.split()
        if counts and all(count.isdecimal() for count in counts):
            announced = sum(map(int, counts))
            if announced > len(lines):
                raise StructureError(
                    f"it announces {announced} atoms in {len(lines)} lines: it is incomplete"
                )
            return


def _until_damaged(frames: Iterator[Atoms]) -> Iterator[Frame]:
    """Frames up to one that cannot be read, and that as an error: where the next one begins is not
    known."""
    read = 0
    try:
        for atoms in frames:
            yield atoms
            read += 1
    except UnknownFileTypeError:
        raise
    except Exception as error:
        if not read:
            raise
        yield _damaged(error, "; neither can what follows it")


def _extended_xyz(text: str) -> Iterator[Frame]:
    """Frame by frame, so that a bad comment line or number costs its frame only."""
    lines, start = io.StringIO(text).readlines(), 0
    while start < len(lines):
        announced = lines[start].strip()
        if not announced:
            start += 1
            continue
        if not announced.isdecimal():
            reason = f"line {start + 1} must be a number of atoms, not {announced!r}"
            yield StructureError(_cannot(f"{reason}; neither can what follows it"))
            return
        end = start + 2 + int(announced)
        while end < len(lines) and lines[end].lstrip().startswith("VEC"):  # a cell after the atoms
            end += 1
        if end > len(lines):
            yield StructureError(
                _cannot(
                    f"the file ends before the {announced} atoms of line "
                    f"{start + 1}: it is incomplete"
                )
            )
            return
        yield _extended_xyz_frame("".join(lines[start:end]))
        start = end


def _extended_xyz_frame(text: str) -> Frame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keys that are no arrays
            frame = ase.io.read(io.StringIO(text), format="extxyz")
    except Exception as error:
        return _damaged(error)
    assert isinstance(frame, Atoms)  # a list is what slices give
    return frame


def _rows(path: Path) -> Iterator[Frame]:
    with connect(path) as db:
        for row in db.select():
            try:
                yield from_row(row)
            except Exception as error:
                yield _damaged(error)


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(START)
    return start.startswith(b"SQLite format 3") or b'"ids"' in start or b'"numbers"' in start


def _read_copy(content: bytes, name: str) -> list[Frame]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{name}{_ending(content)}"
        copy.write_bytes(content)
        return read_crystals(copy)


def _ending(content: bytes) -> str:
    """The ending of a name for a file with this content, of formats that ASE tells by the name
    only; empty for the others."""
    start = content.removeprefix(codecs.BOM_UTF8).lstrip()[:10_000]
    lines = start.decode("latin-1").splitlines()
    if start[:5].lower() == b"data_" or b"\ndata_" in start.lower():
        return ".cif"
    if start.startswith(b"SQLite format 3"):
        return ".db"
    if start.startswith((b"{", b"[")):
        return JSON
    if lines and lines[0].strip().isdecimal():
        return ".xyz"
    return ".vasp" if _is_poscar(content.decode("latin-1").splitlines()) else ""


def _is_poscar(lines: list[str]) -> bool:
    """Whether lines are a comment, a factor (or three) and three vectors, as a POSCAR begins."""
    try:
        numbers = [[float(word) for word in line.split()] for line in lines[1:5]]
    except ValueError:
        return False
    return [len(row) for row in numbers] in ([1, 3, 3, 3], [3, 3, 3, 3])


def _bytes(path: Path, size: int = -1) -> bytes:
    with open_with_compression(str(path), "rb") as file:
        return file.read(size)


def _text(path: Path) -> str:
    """The text of a file: UTF-8 or UTF-16 with a mark, UTF-8, or Latin 1 as CIF of old."""
    content = _bytes(path)
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return content.decode(encoding)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _damaged(error: Exception, more: str = "") -> StructureError:
    reason = f"it is damaged, or of another format than its name says ({reason_of(error)})"
    return StructureError(_cannot(f"{reason}{more}"))


def _cannot(reason: str) -> str:
    return f"cannot be read: {reason}"
