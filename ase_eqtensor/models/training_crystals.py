"""The crystals that a model was trained on: was this one among them, and what is its true tensor?

They lie beside the weights as NAME.crystals.npz. Rows of which only K and G were known are listed
by formula and id, without structure and values. pymatgen and scipy are imported by the functions
that need them: a prediction needs neither.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from ..crystal.symmetry import analyse, primitive
from ..quantities import QUANTITIES, stored


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
    same_structure: whether pymatgen's StructureMatcher (default tolerances, volumes scaled) takes
        it for the crystal that was asked for; None where that cannot be said.
    """

    source_id: str
    dataset: str
    formula: str
    fold: int
    atoms: Atoms | None = None
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    same_structure: bool | None = None


def reduced_formula(atoms: Atoms) -> str:
    """pymatgen's reduced formula, the key of the folds."""
    from pymatgen.core import Composition

    with warnings.catch_warnings():  # noble gases have no electronegativity to sort by
        warnings.filterwarnings("ignore", message="No Pauling electronegativity")
        return Composition(atoms.symbols.formula.count()).reduced_formula


def find(atoms: Atoms, crystals: Iterable[TrainingCrystal]) -> list[TrainingCrystal]:
    """Those of `crystals` with the reduced formula of `atoms`, the same structures first."""
    formula = reduced_formula(atoms)
    alike = [crystal for crystal in crystals if crystal.formula == formula]
    if not alike:
        return []
    cell = primitive(atoms, analyse(atoms))
    order = (True, None, False)
    compared = [_compared(cell, crystal) for crystal in alike]
    return sorted(compared, key=lambda crystal: order.index(crystal.same_structure))


def _compared(cell: Atoms, crystal: TrainingCrystal) -> TrainingCrystal:
    if crystal.atoms is None:
        return crystal
    rotation = rotation_between(primitive(crystal.atoms, analyse(crystal.atoms)), cell)
    if rotation is None:
        return replace(crystal, same_structure=False)
    tensors = {
        name: QUANTITIES[name].rotate(tensor, rotation) for name, tensor in crystal.tensors.items()
    }
    return replace(crystal, tensors=tensors, same_structure=True)


def rotation_between(cell: Atoms, other: Atoms) -> np.ndarray | None:
    """Orthogonal matrix Q (3, 3) that turns the crystal with the primitive cell `cell` into the
    frame of that with the primitive cell `other`, x' = Q x, up to a small strain; None if they are
    not the same structure."""
    from pymatgen.core.structure_matcher import StructureMatcher
    from pymatgen.io.ase import AseAtomsAdaptor
    from scipy.linalg import polar

    if len(cell) != len(other):
        return None
    first, second = (AseAtomsAdaptor.get_structure(atoms) for atoms in (cell, other))
    match = StructureMatcher(primitive_cell=False).get_transformation(second, first)
    if match is None:
        return None
    lattice = match[0] @ first.lattice.matrix  # of `cell`, as it corresponds to that of `other`
    return polar(np.linalg.solve(lattice, second.lattice.matrix))[0].T


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
