"""The crystals that are labelled: those of a training database, or a user's own."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.data import chemical_symbols

from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.crystal.lattice import bare
from ase_eqtensor.errors import DataError, StructureError, located
from ase_eqtensor.files import open_collection
from ase_eqtensor.train.data.database import read_database


@dataclass(frozen=True, eq=False)
class Crystal:
    """A crystal to be labelled; `dataset` is "" for a user's own."""

    id: str
    dataset: str
    formula: str
    atoms: Atoms


def crystals(
    source: str,
    datasets: Sequence[str] = (),
    max_atoms: int | None = None,
    elements: Collection[str] = (),
) -> list[Crystal]:
    """The crystals of a source, smallest cell first, each id once, from the first data set that
    has it.

    Args:
        source: a training database where data sets are named; otherwise an ASE database, a folder
            or a list of files.
        max_atoms: in the given cell.
        elements: symbols; crystals without one of them are left out, where any are named.

    Raises DataError if there is no such source, data set or element or nothing in it,
    StructureError for a crystal of the user's that cannot be read or is not periodic.
    """
    if unknown := set(elements) - set(chemical_symbols):
        raise DataError(f"{', '.join(sorted(unknown))} is no element: give symbols such as O")
    if datasets:
        order = {name: place for place, name in enumerate(datasets)}
        records = sorted(read_database(Path(source), datasets), key=lambda r: order[r.dataset])
        found = [Crystal(r.source_id, r.dataset, r.reduced_formula, r.atoms) for r in records]
    else:
        found = list(_own(source))
    unique: dict[str, Crystal] = {}
    for crystal in found:
        unique.setdefault(crystal.id, crystal)
    # only now, so that another limit does not give a crystal another data set
    small = [x for x in unique.values() if max_atoms is None or len(x.atoms) <= max_atoms]
    if not small:
        raise DataError(f"{source} has no crystal of at most {max_atoms} atoms: allow more")
    chosen = [x for x in small if not elements or set(elements) & set(x.atoms.symbols)]
    if not chosen:
        raise DataError(f"{source} has no such crystal with {' or '.join(sorted(elements))}")
    return sorted(chosen, key=lambda crystal: len(crystal.atoms))


def _own(source: str) -> Iterator[Crystal]:
    collection = open_collection(source)
    for key in collection.keys():
        for label, atoms in collection.read(key):
            if isinstance(atoms, StructureError):
                raise located(atoms, label) from atoms
            if not atoms.pbc.all():
                raise StructureError(f"{label} is not periodic in all directions: leave it out")
            yield Crystal(label, "", reduced_formula(atoms), bare(atoms))
