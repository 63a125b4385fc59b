"""Tensors that files hold, in the units, shapes and Voigt order of `QUANTITIES`, in the frame in
which the file has them: whether that is the one of the structure is what is to be checked."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ..errors import DataError, EqTensorError, StructureError
from ..files.frozen import GIVEN, PAIRS, RECORD, is_record
from ..files.pymatgen_json import documents, structure_of
from ..files.reading import read_crystals
from ..quantities import Quantity, stored
from ..quantities.permittivity import ELECTRONIC, TOTAL
from ..quantities.piezoelectric import PIEZOELECTRIC
from ..quantities.stiffness import STIFFNESS
from ..tensors.electromechanical import C_PER_M2
from ..tensors.notation import GPA, VOIGT_PAIRS, cartesian_to_voigt
from .phonopy import is_born, read_born
from .vasp import is_outcar, is_vasprun, read_outcar, read_vasprun

# Names that other programs and people use, beside those of the package -> quantity, factor. Some
# stand for several, which their shapes tell apart.
NAMES: dict[str, tuple[tuple[Quantity, float], ...]] = {
    **dict.fromkeys(
        ("elastic_tensor_original", "elastic_tensor", "stiffness_tensor", "stiffness_matrix",
         "elastic_constants", "cij", "c_ij", f"{STIFFNESS.name}_gpa"), ((STIFFNESS, GPA),)),
    **dict.fromkeys(
        ("piezo_tensor", "piezoelectric_stress_tensor", f"{PIEZOELECTRIC.name}_c_per_m2"),
        ((PIEZOELECTRIC, 1 / C_PER_M2),)),
    **dict.fromkeys(("e_electronic", "epsilon_infinity", "eps_infinity"), ((ELECTRONIC, 1.0),)),
    **dict.fromkeys(("e_total", "epsilon_total"), ((TOTAL, 1.0),)),
}  # fmt: skip
# fields of documents of the Materials Project, which are in the IEEE frame but for the "raw" ones
DOCUMENTS: dict[str, tuple[tuple[Quantity, float], ...]] = dict(
    zip(
        "total electronic".split(),
        (((TOTAL, 1.0), (PIEZOELECTRIC, 1 / C_PER_M2)), ((ELECTRONIC, 1.0),)),
    )
)
UNITS = {  # of a tensor without a name -> quantity's unit
    STIFFNESS.name: {"GPa": GPA, "kbar": GPA / 10, "eV/Å^3": 1.0, "eV/A^3": 1.0, "Pa": GPA * 1e-9},
    PIEZOELECTRIC.name: {"C/m^2": 1 / C_PER_M2, "e/Å^2": 1.0, "e/A^2": 1.0},
}


@dataclass(frozen=True, eq=False)
class Given:
    """A crystal and the tensors (*shape) that a file has for it, by the names of quantities.

    label: file, and #0, #1, ... where it has several.
    clamped: names of tensors of which the file says that the ions were clamped.
    """

    label: str
    atoms: Atoms
    tensors: dict[str, np.ndarray]
    clamped: frozenset[str] = field(default_factory=frozenset)


def read_given(path: str | Path, structure: Atoms | None = None) -> list[Given | EqTensorError]:
    """Everything in a file that has tensors, or why there is nothing.

    Args:
        path: extended XYZ, trajectory or ASE database; JSON with pymatgen structures, or documents
            of the Materials Project; VASP's OUTCAR or vasprun.xml; phonopy's BORN.
        structure: the crystal, where it is not the one in the file, or beside BORN.

    Returns:
        Never an empty list; each error names the file and the remedy.
    """
    path = Path(path)
    try:
        found = list(_read(path, structure))
    except EqTensorError as error:
        return [error]
    except OSError as error:
        return [DataError(f"{path}: cannot be read ({error.strerror or error}); check the file")]
    except Exception as error:  # whatever a damaged file leads the readers to
        kind = type(error).__name__
        return [DataError(f"{path}: it is damaged, or of another kind ({kind}: {error})")]
    return found or [DataError(f"{path}: there is no crystal in it")]


def _read(path: Path, structure: Atoms | None) -> Iterator[Given | EqTensorError]:
    for known, reader in (
        (is_outcar, read_outcar),
        (is_vasprun, read_vasprun),
        (is_born, read_born),
    ):
        if known(path):
            if not path.is_file():
                raise DataError(f"{path}: there is no such file")
            atoms, tensors, clamped = reader(path, structure)
            yield _with_tensors(str(path), atoms, tensors, clamped)
            return
    if entries := _documents(path):
        for index, entry in enumerate(entries):
            label = str(path) if len(entries) == 1 else f"{path}#{index}"
            try:
                yield _of_entry(label, structure or _structure(entry, label), entry)
            except EqTensorError as error:
                yield error
        return
    frames = read_crystals(path)
    for index, frame in enumerate(frames):
        label = str(path) if len(frames) == 1 else f"{path}#{index}"
        if isinstance(frame, StructureError):
            yield StructureError(f"{label}: {frame}")
        else:
            yield _of_entry(label, structure or frame, _of_atoms(frame))


def _documents(path: Path) -> list[Mapping[str, Any]]:
    """The objects of a JSON file that hold tensors; none of another file, or an ASE database."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return []
    try:
        entries = documents(path.read_text("utf-8"))
    except StructureError:  # as reading it as a file of crystals will say
        return []
    return [] if "ids" in entries[0] else entries


def _structure(entry: Mapping, label: str) -> Atoms:
    try:
        return structure_of(entry)
    except StructureError as error:
        text = f"{label}: {error}; name the file of the crystal with --structure"
        raise StructureError(text) from None


def _of_atoms(atoms: Atoms) -> dict[str, Any]:
    """What was given with a crystal; beside predictions of this package, what was kept of it."""
    results = atoms.calc.results if atoms.calc else {}
    entry = {**results, **atoms.info.get(PAIRS, {}), **atoms.info}
    if not is_record(atoms.info.get(RECORD)):
        return entry
    return {key.removeprefix(GIVEN): value for key, value in entry.items() if key.startswith(GIVEN)}


def _of_entry(label: str, atoms: Atoms, entry: Mapping) -> Given | EqTensorError:
    """The tensors among the values of an entry, also one level below it."""
    tensors: dict[str, np.ndarray] = {}
    inner = [value for value in entry.values() if isinstance(value, Mapping)]
    names = {
        **{quantity.key: ((quantity, 1.0),) for quantity in stored().values()},
        **{name: ((quantity, 1.0),) for name, quantity in stored().items()},
        **NAMES,
        **DOCUMENTS,
    }
    for level in (entry, *inner):
        for name, meanings in names.items():
            value = level.get(name)
            if isinstance(value, Mapping):  # the Materials Project has one in two frames
                value = value.get("raw", value.get("ieee_format"))
            if value is None:
                continue
            for quantity, factor in meanings:
                array = shaped(quantity, value)
                if array is not None and quantity.name not in tensors:
                    tensors[quantity.name] = array * factor
    return _with_tensors(label, atoms, tensors, frozenset())


def _with_tensors(
    label: str, atoms: Atoms, tensors: dict[str, np.ndarray], clamped: frozenset[str]
) -> Given | EqTensorError:
    if not tensors:
        known = ", ".join(quantity.key for quantity in stored().values())
        return DataError(
            f"{label}: no tensor in it; known names are {known}, {', '.join(NAMES)}; a tensor in a "
            "file of its own goes with --tensor"
        )
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            return DataError(f"{label}: {name} has NaN or infinity; leave it out or repair it")
    return Given(label, atoms, tensors, clamped)


def shaped(quantity: Quantity, value: Any) -> np.ndarray | None:
    """A value as an array of the quantity's shape: as it is, flat, with Cartesian indices, or one
    triangle of a symmetric matrix (21 or 6 numbers, row after row of the upper one and in Voigt
    order); None where it has another number of entries."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
    shape = quantity.shape
    if array.shape == shape:
        return array
    if array.size == np.prod(shape):
        if array.ndim == 1:
            return array.reshape(shape)
        return array.T if array.shape == shape[::-1] else None
    if shape == (6, 6) and array.size == 21:
        full = np.zeros((6, 6))
        full[np.triu_indices(6)] = array.ravel()
        return full + np.triu(full, 1).T
    if shape == (6, 6) and array.size == 81:
        return cartesian_to_voigt(array.reshape(3, 3, 3, 3))
    rows, columns = np.array(VOIGT_PAIRS).T
    if shape == (3, 6) and array.size == 27:
        cartesian = array.reshape(3, 3, 3)
        return (cartesian + cartesian.swapaxes(1, 2))[:, rows, columns] / 2
    if shape == (3, 3) and array.size == 6:
        full = np.zeros((3, 3))
        full[rows, columns] = full[columns, rows] = array.ravel()
        return full
    return None


def read_tensor(path: Path, quantity: str | None, unit: str | None) -> tuple[str, np.ndarray]:
    """Name of the quantity and array (*shape) of a tensor in a file of its own.

    Args:
        path: numbers as text, .npy, or a JSON list.
        quantity: name of the quantity, with or without "_tensor"; None takes that of its shape, of
            (3, 3) the total permittivity.
        unit: of the numbers, see `UNITS`; None for GPa and C/m^2.

    Raises DataError for another shape, name or unit, or a file that cannot be read.
    """
    try:
        if path.suffix == ".npy":
            value = np.load(path, allow_pickle=False)
        elif path.suffix == ".json":
            value = np.array(json.loads(path.read_text("utf-8")), dtype=float)
        else:
            value = np.loadtxt(path, delimiter="," if "," in path.read_text("utf-8") else None)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a tensor ({error})") from error
    offered = {one.stem: one for one in (STIFFNESS, TOTAL, ELECTRONIC, PIEZOELECTRIC)}
    if quantity is not None and quantity.removesuffix("_tensor") not in offered:
        raise DataError(f"--quantity {quantity}: choose one of {', '.join(offered)}")
    asked = list(offered.values())
    if quantity is not None:
        asked = [offered[quantity.removesuffix("_tensor")]]
    for one in asked:
        if (array := shaped(one, value)) is not None:
            units = UNITS.get(one.name, {"": 1.0})
            if unit is not None and unit not in units:
                raise DataError(f"--unit {unit}: choose one of {', '.join(units)} for {one.name}")
            factor = units[unit] if unit is not None else next(iter(units.values()))
            return one.name, array * factor
    shapes = ", ".join(f"{one.stem} {one.shape}" for one in asked)
    raise DataError(f"{path}: its shape is {value.shape}, expected {shapes}")
