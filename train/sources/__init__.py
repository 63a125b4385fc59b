"""Where training data come from: every source yields records in one form.

To add one: write a `Source` (base.py) in a module of its own, and let `collect` make it.
"""

from collections.abc import Iterable
from pathlib import Path

from ase_eqtensor.train.sources.base import Source
from ase_eqtensor.train.sources.files import FilesSource
from ase_eqtensor.train.sources.matminer import MatminerSource
from ase_eqtensor.train.sources.moduli import ModuliSource


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
    chosen = [FilesSource(files)] if (files := list(files)) else []
    if matminer:
        chosen.append(MatminerSource(archive))
    if moduli is not None:
        chosen.append(ModuliSource(moduli))
    return chosen
