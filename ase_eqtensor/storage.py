"""Files that appear under their name when they are complete, and never replace others unasked."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import DataError, OutputExistsError


@contextmanager
def complete_file(path: str | Path) -> Iterator[Path]:
    """A path to write to, the file of which becomes `path` when the block ends without an error.

    It lies in a folder of its own beside `path`, under the same name, because some writers look at
    the suffix or leave further files. Whatever fails inside leaves an existing `path` as it was.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        part = Path(folder) / path.name
        yield part
        os.replace(part, path)


def refuse_existing(path: str | Path, overwrite: bool = False) -> None:
    """Raise OutputExistsError if there is such a file and `overwrite` is False."""
    if Path(path).exists() and not overwrite:
        raise OutputExistsError(
            f"{path} exists: choose another name, or pass overwrite=True to replace it"
        )


def check_place(path: str | Path, overwrite: bool = False) -> None:
    """Raise what stands against writing a file there, before work is done in vain.

    OutputExistsError as `refuse_existing`; DataError if there is no such folder, or nothing can be
    written to it.
    """
    refuse_existing(path, overwrite)
    folder = Path(path).parent
    if not folder.is_dir():
        raise DataError(f"{path}: there is no folder {folder}")
    if Path(path).is_dir():
        raise DataError(f"{path} is a folder: choose another name")
    try:  # permissions alone do not tell, as of a full or read-only disk
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{Path(path).stem[:20]}-"):
            pass
    except OSError as error:
        raise DataError(
            f"{path}: nothing can be written to the folder {folder} ({error.strerror}); choose "
            "another one"
        ) from error
