"""The user's own crystals: extended XYZ, ASE databases, or JSON with pymatgen structures.

A crystal carries its tensors under the names of the targets, flat or nested, in the Cartesian
frame of its structure and in Voigt order xx yy zz yz xz xy:

    elasticity_tensor             (6, 6), eV/Å^3, no factors (or elasticity_tensor_gpa, GPa)
    electronic_dielectric_tensor  (3, 3), clamped-ion permittivity eps_inf
    dielectric_tensor             (3, 3), total static permittivity; either may be missing
    piezoelectric_tensor          (3, 6), e/Å^2, no factors
    k_vrh_gpa, g_vrh_gpa           numbers, GPa, together
    formation_energy               number, eV/atom

They are looked for in `atoms.info` (and in the calculator's results, where ASE puts the
`dielectric_tensor` of an extended XYZ file), in the data and key-value pairs of an ASE database
row, and in the objects of a JSON list `[{"structure": {...}, "elasticity_tensor_gpa": [[...]]}]`.
"""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import ase.db
import numpy as np
from ase import Atoms
from pymatgen.core import Structure

from ase_eqtensor.crystal.lattice import bare
from ase_eqtensor.crystal.validation import as_atoms, check_structure
from ase_eqtensor.errors import DataError, StructureError
from ase_eqtensor.files.reading import read_crystals
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets import DATASETS, columns
from ase_eqtensor.train.targets.stiffness import ELASTIC, MODULI

IN_GPA = "elasticity_tensor_gpa"  # accepted as well, and converted


class FilesSource(Source):
    """Crystals of the user's own files, in the order given.

    Each crystal gives one row for every data set it has targets of.
    """

    name = "user"

    def __init__(self, paths: list[Path]):
        self.paths = [Path(path) for path in paths]

    def records(self) -> Iterator[Record]:
        """Yield the rows. Raises DataError naming file, index and remedy at the first bad one."""
        for path in self.paths:
            for index, (structure, entry) in enumerate(_read(path)):
                where = f"{path.name}#{index}"
                atoms = _check(structure, where)
                targets = _targets(entry, where)
                for dataset, group in _by_dataset(targets, where).items():
                    yield Record(bare(atoms), dataset, self.name, where, group)


def _read(path: Path) -> Iterator[tuple[Atoms | Structure, Mapping]]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown kind of file; known are {', '.join(_READERS)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    index = -1
    try:
        for index, entry in enumerate(reader(path)):  # noqa: B007 (named in the error)
            yield entry
    except DataError:
        raise
    except Exception as error:  # whatever a broken file leads the readers to
        problem = f"{type(error).__name__}: {error}"
        raise DataError(f"{path.name}#{index + 1}: cannot be read ({problem})") from error
    if index < 0:
        raise DataError(f"{path}: no crystals in it")


def _extxyz(path: Path) -> Iterator[tuple[Atoms, Mapping]]:
    for index, atoms in enumerate(read_crystals(path)):
        if isinstance(atoms, StructureError):
            raise DataError(f"{path.name}#{index}: {atoms}") from atoms
        results = atoms.calc.results if atoms.calc else {}
        yield atoms, results | atoms.info


def _ase_db(path: Path) -> Iterator[tuple[Atoms, Mapping]]:
    with ase.db.connect(path, use_lock_file=False) as db:
        for row in db.select():
            yield row.toatoms(), row.key_value_pairs | dict(row.data)


def _pymatgen(path: Path) -> Iterator[tuple[Structure, Mapping]]:
    entries = json.loads(path.read_text())
    if not isinstance(entries, list):
        raise DataError(f'{path.name}: expected a JSON list [{{"structure": ..., ...}}, ...]')
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or "structure" not in entry:
            raise DataError(f'{path.name}#{index}: no "structure" (a pymatgen Structure.as_dict())')
        yield Structure.from_dict(entry["structure"]), entry


_READERS: dict[str, Callable[[Path], Iterator[tuple[Atoms | Structure, Mapping]]]] = {
    ".extxyz": _extxyz,
    ".xyz": _extxyz,
    ".db": _ase_db,
    ".json": _pymatgen,
}


def _check(structure, where: str) -> Atoms:
    try:
        atoms = as_atoms(structure)
        check_structure(atoms)
    except StructureError as error:
        raise DataError(f"{where}: {error}") from error
    return atoms


def _targets(entry: Mapping, where: str) -> dict[str, np.ndarray | float]:
    """The targets in `entry`, in the shapes and units of the database."""
    targets = {key: _value(key, entry[key], where) for key in _keys() if key in entry}
    if not targets:
        _complain(entry, where)
    if IN_GPA in targets:
        if STIFFNESS.name in targets:
            raise DataError(f"{where}: {STIFFNESS.name} and {IN_GPA} are both given; keep one")
        targets[STIFFNESS.name] = targets.pop(IN_GPA) * GPA
    return targets


def _keys() -> dict[str, tuple[int, ...]]:
    """What a crystal may carry -> its shape."""
    return columns() | {IN_GPA: STIFFNESS.shape}


def _complain(entry: Mapping, where: str) -> None:
    similar = [k for name in entry for k in difflib.get_close_matches(str(name), _keys(), 1)]
    hint = f"did you mean {similar[0]}?" if similar else f"known keys are {', '.join(_keys())}"
    keys = ", ".join(map(str, entry)) or "nothing"
    raise DataError(f"{where}: no target tensor among its keys ({keys}); {hint}")


def _value(key: str, value, where: str) -> np.ndarray | float:
    shape = _keys()[key]
    try:
        array = np.asarray(value, dtype=float)
        array = array if array.shape == shape else array.ravel().reshape(shape)
    except (TypeError, ValueError):
        size = np.shape(value) or repr(value)
        raise DataError(
            f"{where}: {key} is {size}, expected {int(np.prod(shape))} numbers of shape {shape}"
        ) from None
    return array if shape else float(array)


def _by_dataset(targets: dict, where: str) -> dict[str, dict]:
    """Targets by data set, without the moduli where there is a stiffness, which implies them."""
    grouped = {}
    for name, dataset in DATASETS.items():
        present = {column: targets[column] for column in dataset.columns if column in targets}
        if not present or (name == MODULI.name and ELASTIC.name in grouped):
            continue
        if missing := dataset.missing(present):
            raise DataError(
                f"{where}: {', '.join(present)} without {', '.join(missing)}; give both, or neither"
            )
        grouped[name] = present
    return grouped
