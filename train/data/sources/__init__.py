"""Where training data come from: every source yields records in one form.

To add one: write a `Source` (base.py) in a module of its own, and let `collect` make it.
"""

from collections.abc import Iterable
from pathlib import Path

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.data.fetch.file import read_header
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.data.sources.files import FilesSource
from ase_eqtensor.train.data.sources.jarvis import JarvisSource
from ase_eqtensor.train.data.sources.materials_project import MaterialsProjectSource
from ase_eqtensor.train.data.sources.matminer import MatminerSource
from ase_eqtensor.train.data.sources.moduli import ModuliSource

FETCHED = {"materials-project": MaterialsProjectSource, "jarvis": JarvisSource}

# The functional of each source; that of the user's own files is not known.
FUNCTIONAL = {
    MatminerSource: "PBE",
    ModuliSource: "PBE",
    MaterialsProjectSource: "PBE",
    JarvisSource: "OptB88vdW",
}

TEACHER = "teacher"  # what rows taught by a potential name as their source
LABELS_ALONE = "labels"  # and those of crystals of which only the potential knows

# By data set and source, for the cards of models.
LEVEL_OF_THEORY = {
    ("elastic", MatminerSource.name): (
        "PBE or PBE+U (VASP), relaxed-ion stress-strain; de Jong 2015"
    ),
    ("dielectric", MatminerSource.name): "PBE or PBE+U (VASP), DFPT; Petousis 2017",
    ("piezoelectric", MatminerSource.name): "PBE or PBE+U (VASP), DFPT; de Jong 2015",
    ("elastic", MaterialsProjectSource.name): (
        "PBE or PBE+U (VASP), relaxed-ion; Materials Project"
    ),
    ("dielectric", MaterialsProjectSource.name): "PBE or PBE+U (VASP), DFPT; Materials Project",
    ("elastic", JarvisSource.name): "OptB88vdW (VASP), relaxed-ion; Choudhary 2020",
    ("taught", TEACHER): (
        "labels of the potential 7net-l3i5, with K and G from PBE or PBE+U where these are known"
    ),
    ("taught", LABELS_ALONE): "labels of the potential 7net-l3i5",
    ("moduli", ModuliSource.name): "K and G only: PBE or PBE+U, Materials Project 2025",
}
NOT_STATED = "the user's own data, level of theory not stated"


def collect(
    archive: Path | None = None,
    moduli: Path | None = None,
    files: Iterable[Path] = (),
    matminer: bool = True,
    fetched: Iterable[Path] = (),
    mix_functionals: bool = False,
) -> list[Source]:
    """The sources of a training database.

    In order: the user's own `files` (first, so that a mistake in them shows at once), files
    `fetched` with `eqtensor data fetch`, the matminer archive (downloaded unless `archive` is a
    local copy; left out with `matminer=False`), and a table of `moduli`.

    Raises DataError if one of `fetched` was not made by `eqtensor data fetch`, or if the sources'
    functionals differ and `mix_functionals` is False: a model of both would reproduce neither.
    """
    chosen: list[Source] = [FilesSource(files)] if (files := list(files)) else []
    chosen += [_fetched(path) for path in fetched]
    if matminer:
        chosen.append(MatminerSource(archive))
    if moduli is not None:
        chosen.append(ModuliSource(moduli))
    functionals = {source.name: FUNCTIONAL.get(type(source)) for source in chosen}
    if len(set(functionals.values()) - {None}) > 1 and not mix_functionals:
        named = ", ".join(f"{name} ({theory})" for name, theory in functionals.items() if theory)
        raise DataError(
            f"sources of different level of theory: {named}. Build one database of each "
            "(--no-public leaves the Materials Project sets of 2015-2018 out), or mix them on "
            "purpose with --mix-functionals"
        )
    return chosen


def _fetched(path: Path) -> Source:
    name = read_header(path)["source"]
    if name not in FETCHED:
        raise DataError(f"{path}: unknown source {name!r}; known are {', '.join(FETCHED)}")
    return FETCHED[name](path)
