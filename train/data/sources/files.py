"""The user's own crystals: extended XYZ, ASE databases, or JSON with pymatgen structures.

A crystal carries its tensors under the names of the targets, flat or nested, in the Cartesian
frame of its structure and in Voigt order xx yy zz yz xz xy:

    elasticity_tensor             36 values, eV/Å^3 (or elasticity_tensor_gpa, GPa)
    electronic_dielectric_tensor   9 values, clamped-ion permittivity eps_inf
    dielectric_tensor              9 values, total static permittivity; either may be missing
    piezoelectric_tensor          18 values, C/m^2
    k_vrh_gpa, g_vrh_gpa           numbers, GPa, together
    formation_energy               number, eV/atom

They are looked for in `atoms.info` (and in the calculator's results, where ASE puts the
`dielectric_tensor` of an extended XYZ file), in the data and key-value pairs of an ASE database
row, and in the objects of a JSON list `[{"structure": {...}, "elasticity_tensor_gpa": [[...]]}]`.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import ase.db
import ase.io
import numpy as np
from ase import Atoms
from pymatgen.core import Structure

from ase_eqtensor.crystal.validation import as_atoms, check_structure
from ase_eqtensor.errors import DataError, StructureError
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import (
    DATASETS,
    TARGET_SHAPES,
    Record,
    bare,
    missing_targets,
)

KEYS = (*TARGET_SHAPES, "elasticity_tensor_gpa")


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
            for index, (structure, found) in enumerate(_read(path)):
                where = f"{path.name}#{index}"
                atoms = _check(structure, where)
                targets = _targets(found, where)
                for dataset, part in _by_dataset(targets, where).items():
                    yield Record(bare(atoms), dataset, self.name, where, part)


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
    for atoms in ase.io.iread(path, index=":", format="extxyz"):
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


_READERS = {".extxyz": _extxyz, ".xyz": _extxyz, ".db": _ase_db, ".json": _pymatgen}


def _check(structure, where: str) -> Atoms:
    try:
        atoms = as_atoms(structure)
        check_structure(atoms)
    except StructureError as error:
        raise DataError(f"{where}: {error}") from error
    return atoms


def _targets(found: Mapping, where: str) -> dict[str, np.ndarray | float]:
    """The targets among `found`, in the shapes and units of the database."""
    targets = {key: _value(key, found[key], where) for key in KEYS if key in found}
    if not targets:
        _complain(found, where)
    if "elasticity_tensor_gpa" in targets:
        if "elasticity_tensor" in targets:
            raise DataError(
                f"{where}: elasticity_tensor and elasticity_tensor_gpa are both given; keep one"
            )
        targets["elasticity_tensor"] = targets.pop("elasticity_tensor_gpa") * GPA
    return targets


def _complain(found: Mapping, where: str) -> None:
    similar = [k for name in found for k in difflib.get_close_matches(str(name), KEYS, 1)]
    hint = f"did you mean {similar[0]}?" if similar else f"known keys are {', '.join(KEYS)}"
    have = ", ".join(map(str, found)) or "nothing"
    raise DataError(f"{where}: no target tensor among its keys ({have}); {hint}")


def _value(key: str, value, where: str) -> np.ndarray | float:
    shape = TARGET_SHAPES[key.removesuffix("_gpa") if key not in TARGET_SHAPES else key]
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
    """Targets by data set; moduli beside a stiffness tensor say nothing new."""
    parts = {}
    for dataset, names in DATASETS.items():
        part = {name: targets[name] for name in names if name in targets}
        if not part or (dataset == "moduli" and "elastic" in parts):
            continue
        if missing := missing_targets(dataset, part):
            raise DataError(
                f"{where}: {', '.join(part)} without {', '.join(missing)}; give both, or neither"
            )
        parts[dataset] = part
    return parts
