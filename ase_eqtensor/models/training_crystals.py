"""The crystals that a model was trained on: was this one among them, and what is its true tensor?

They lie beside the weights as NAME.crystals.npz. Rows of which only K and G were known are listed
by formula and id, without structure and values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from ..crystal.formula import reduced_formula
from ..crystal.symmetry import DEFAULT_SYMPREC
from ..quantities import QUANTITIES, Density, stored
from .same_structure import ReducedCrystal, matched


@dataclass(frozen=True, eq=False)
class TrainingCrystal:
    """A crystal of the training data.

    source_id: its identifier in the source, a Materials Project id for the shipped models.
    dataset: "elastic", "dielectric" or "moduli".
    formula: pymatgen's reduced formula.
    fold: the fold it belongs to; networks that left this fold out have not seen it.
    atoms: its structure; None where only the formula is known.
    tensors: quantity name -> first-principles value (*shape), as in `QUANTITIES`. In the frame
        of `atoms`, or, in the answer of `find` with `same_structure`, of the crystal asked for.
    same_structure: whether it is the crystal that was asked for, see `find`; None where that cannot
        be said.
    """

    source_id: str
    dataset: str
    formula: str
    fold: int
    atoms: Atoms | None = None
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    same_structure: bool | None = None


def find(
    atoms: Atoms, crystals: Iterable[TrainingCrystal], symprec: float = DEFAULT_SYMPREC
) -> list[TrainingCrystal]:
    """Those of `crystals` with the reduced formula of `atoms`, the same structures first, of these
    the closest first.

    The same structure has the same space group (or its mirror image), a volume within
    8 %, and, scaled to the same volume, a cell and sites that agree within the
    tolerances of same_structure.py. `symprec` is the tolerance (Å) of the symmetry of `atoms`.

    Raises StructureError for a cell too skewed to be reduced.
    """
    formula = reduced_formula(atoms)
    alike = [crystal for crystal in crystals if crystal.formula == formula]
    if not alike:
        return []
    asked = ReducedCrystal.of(atoms, symprec)
    compared = [_compared(asked, crystal) for crystal in alike]
    order = (True, None, False)
    compared.sort(key=lambda entry: (order.index(entry[0].same_structure), entry[1]))
    return [crystal for crystal, _ in compared]


def _compared(asked: ReducedCrystal, crystal: TrainingCrystal) -> tuple[TrainingCrystal, float]:
    """The training crystal with `same_structure` and tensors in the frame of the one asked for,
    and how far it is from that."""
    if crystal.atoms is None:
        return crystal, 0.0
    match = matched(ReducedCrystal.of(crystal.atoms), asked)
    if match is None:
        return replace(crystal, same_structure=False), 0.0
    tensors = {
        name: QUANTITIES[name].rotate(tensor, match.rotation)
        for name, tensor in crystal.tensors.items()
    }
    return replace(crystal, tensors=tensors, same_structure=True), match.distance


def scalars_of(crystals: Iterable[TrainingCrystal]) -> dict[str, np.ndarray]:
    """Name of each scalar -> its values (N,) among the crystals with a tensor, without NaN."""
    crystals = list(crystals)
    columns: dict[str, np.ndarray] = {}
    for name, quantity in stored().items():
        rows = [(c.tensors[name], c.atoms) for c in crystals if c.atoms and name in c.tensors]
        if rows:
            arrays = quantity.from_ase(np.stack([tensor for tensor, _ in rows]))
            density = Density.of([atoms for _, atoms in rows])
            columns |= quantity.scalar_values(arrays, density)
    return {name: values[np.isfinite(values)] for name, values in columns.items()}


def save_crystals(path: Path, crystals: Sequence[TrainingCrystal]) -> None:
    """Write them to an .npz file, in single precision."""
    structures = [c.atoms for c in crystals if c.atoms is not None]
    columns: dict[str, ArrayLike] = {
        "source_id": [c.source_id for c in crystals],
        "dataset": [c.dataset for c in crystals],
        "formula": [c.formula for c in crystals],
        "fold": np.array([c.fold for c in crystals], dtype=np.int8),
        "size": np.array([0 if c.atoms is None else len(c.atoms) for c in crystals], np.int16),
        "numbers": np.concatenate([[], *(atoms.numbers for atoms in structures)]).astype(np.uint8),
        "positions": np.concatenate([np.empty((0, 3)), *(atoms.positions for atoms in structures)]),
        "cell": np.array([atoms.cell[:] for atoms in structures]),
    }
    for name in stored():
        rows = [i for i, c in enumerate(crystals) if name in c.tensors]
        columns[f"{name}/row"] = np.array(rows, dtype=np.int16)
        columns[name] = np.array([crystals[i].tensors[name] for i in rows])
    arrays: dict[str, Any] = {}  # Any: savez_compressed has an option among its keywords
    for name, column in columns.items():
        array = np.asarray(column)
        arrays[name] = array.astype(np.float32) if array.dtype == float else array
    np.savez_compressed(path, **arrays)


def load_crystals(path: Path) -> list[TrainingCrystal]:
    """The crystals that `save_crystals` wrote."""
    with np.load(path) as file:
        columns = dict(file)
    tensors: list[dict] = [{} for _ in columns["size"]]
    for name in stored():
        if name not in columns:  # a list that is older than the quantity
            continue
        for row, value in zip(columns[f"{name}/row"], columns[name].astype(float)):
            tensors[row][name] = value
    end, cells = columns["size"].cumsum(), iter(columns["cell"])
    crystals = []
    for i, size in enumerate(columns["size"]):
        part = slice(end[i] - size, end[i])
        atoms = None
        if size:
            numbers, positions = columns["numbers"][part], columns["positions"][part]
            atoms = Atoms(numbers, positions, cell=next(cells), pbc=True)
        source_id, dataset, formula = (
            str(columns[name][i]) for name in ("source_id", "dataset", "formula")
        )
        fold = int(columns["fold"][i])
        crystals.append(TrainingCrystal(source_id, dataset, formula, fold, atoms, tensors[i]))
    return crystals
