"""Where training data come from: every source yields records in one form."""

from collections.abc import Iterable
from pathlib import Path

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.sources.base import Source
from ase_eqtensor.train.sources.files import FilesSource
from ase_eqtensor.train.sources.matminer import MatminerSource
from ase_eqtensor.train.sources.moduli import ModuliSource

SOURCES: dict[str, type[Source]] = {
    "matminer": MatminerSource,
    "moduli": ModuliSource,
    "files": FilesSource,
}


def get_source(name: str, *arguments) -> Source:
    """The source of this name, made with its arguments. Raises DataError for unknown names."""
    if name not in SOURCES:
        raise DataError(f"unknown source {name!r}: choose from {', '.join(SOURCES)}")
    return SOURCES[name](*arguments)


def collect(
    archive: Path | None = None,
    moduli: Path | None = None,
    files: Iterable[Path] = (),
    matminer: bool = True,
) -> list[Source]:
    """The sources of a training database.

    The user's own `files` (first, so that a mistake in them shows at once), the matminer archive
    (downloaded unless `archive` is a local copy of it; left out with `matminer=False`), and a
    table of `moduli`.
    """
    chosen = [get_source("files", files)] if (files := list(files)) else []
    if matminer:
        chosen.append(get_source("matminer", archive))
    if moduli is not None:
        chosen.append(get_source("moduli", moduli))
    return chosen
