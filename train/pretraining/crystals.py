"""Crystals that teach without a first-principles tensor: those of the database, shaken, and with
other elements in their places."""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from pymatgen.core.periodic_table import Element

from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.crystal.graph import CrystalGraph, build_graph
from ase_eqtensor.crystal.symmetry import analyse, primitive
from ase_eqtensor.errors import StructureError
from ase_eqtensor.parallel import in_parallel
from ase_eqtensor.quantities import stored
from ase_eqtensor.train.folds import fold_of
from ase_eqtensor.train.record import Record

FOREIGN = 0.3  # share of elements for which any other may come, where compositions are to be new
DISPLACEMENT = (0.02, 0.1)  # standard deviation in Å, drawn between these
STRAIN = 0.02  # standard deviation of the relative change of all lengths after a substitution
SHARE = 0.5  # of the elements that are replaced, at least one
POWER = 8  # of the inverse distance, by which neighbours count for the size of a crystal
AT_ONCE = 64  # records per task of another process
NONMETALS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 52, 53})
NOBLE_GASES = frozenset({2, 10, 18, 36, 54})


class Crystal(NamedTuple):
    """A primitive cell and what symmetry says of it, see `CrystalGraph`; its reduced formula."""

    cell: Atoms
    site_class: np.ndarray
    polar: np.ndarray
    odd: bool
    formula: str

    def graph(self, cutoff: float) -> CrystalGraph:
        """Raises StructureError if an atom has no neighbour within `cutoff` Å."""
        return build_graph(self.cell, cutoff, self.site_class, self.polar, self.odd)


def crystals(records: Sequence[Record], workers: int = 1) -> list[Crystal]:
    """Each crystal of the records once, however many data sets have it."""
    once = {
        (r.reduced_formula, len(r.atoms), round(r.atoms.get_volume() / len(r.atoms), 2)): r.atoms
        for r in records
    }
    chosen = list(once.values())
    chunks = [(chosen[i : i + AT_ONCE],) for i in range(0, len(chosen), AT_ONCE)]
    return [crystal for chunk in in_parallel(_described, chunks, workers) for crystal in chunk]


def _described(chosen: Sequence[Atoms]) -> list[Crystal]:
    found = []
    for atoms in chosen:
        symmetry = analyse(atoms)
        cell = primitive(atoms, symmetry)
        odd = any(
            q.form.odd and not q.form.forbidden(symmetry.rotations) for q in stored().values()
        )
        site_class = symmetry.site_class[symmetry.primitive_index]
        found.append(Crystal(cell, site_class, symmetry.polar, odd, reduced_formula(atoms)))
    return found


def substituted(
    crystal: Crystal,
    graph: CrystalGraph,
    elements: frozenset[int],
    random: np.random.Generator,
    foreign: float = 0.0,
) -> Crystal | None:
    """The crystal with some of its elements replaced by others of their group, of the same symmetry
    and with the lengths that covalent radii let expect; None where no element can be replaced.

    `graph` is that of the crystal, `elements` are the atomic numbers that may be used. A share
    `foreign` of those replaced becomes any metal, or any nonmetal, whatever they are themselves.
    """
    present = sorted(set(crystal.cell.numbers.tolist()))
    replaced: dict[int, int] = {}
    for z in random.permutation(present).tolist():
        taken = {*present, *replaced.values()}
        kin = _any(z) if foreign and random.random() < foreign else _relatives(z)
        choices = [other for other in kin if other in elements - taken]
        if choices and (random.random() < SHARE or not replaced):
            replaced[z] = int(random.choice(choices))
    if not replaced:
        return None
    numbers = np.array([replaced.get(z, z) for z in crystal.cell.numbers.tolist()])
    grown = _size(graph, numbers) / _size(graph, crystal.cell.numbers)
    cell = Atoms(numbers, crystal.cell.positions, cell=crystal.cell.cell, pbc=True)
    cell.set_cell(cell.cell * grown * np.exp(STRAIN * random.standard_normal()), scale_atoms=True)
    return crystal._replace(cell=cell, formula=reduced_formula(cell))


def shaken(graph: CrystalGraph, deviation: float, random: np.random.Generator) -> CrystalGraph:
    """The graph with every atom displaced, each component by `deviation` Å (standard deviation);
    neighbours stay those of the crystal before."""
    moved = deviation * random.standard_normal((len(graph.numbers), 3))
    return replace(graph, vector=graph.vector + moved[graph.sender] - moved[graph.receiver])


def graphs(
    chosen: Sequence[Crystal],
    cutoff: float,
    noise: float,
    elements: frozenset[int],
    seed: int,
    without: int | None = None,
) -> list[CrystalGraph]:
    """Each crystal as it is, shaken by `noise` Å, and with other elements; no composition of the
    fold `without` comes about."""
    random = np.random.default_rng(seed)
    made: list[CrystalGraph] = []
    for crystal in chosen:
        graph = crystal.graph(cutoff)
        made += [graph, shaken(graph, noise, random)]
        other = substituted(crystal, graph, elements, random)
        if other is not None and (without is None or fold_of(other.formula) != without):
            try:
                made.append(other.graph(cutoff))
            except StructureError:  # atoms too far apart for the network
                pass
    return made


def unknown(
    chosen: Sequence[Crystal],
    known: Set[str],
    cutoff: float,
    elements: frozenset[int],
    rounds: int,
    random: np.random.Generator,
) -> list[Crystal]:
    """Each crystal with other elements, in `rounds` ways, as far as the reduced formula is none of
    `known`."""
    pairs = [(crystal, crystal.graph(cutoff)) for crystal in chosen]
    made = (substituted(*pair, elements, random, FOREIGN) for pair in pairs * rounds)
    return [one for one in made if one is not None and one.formula not in known]


def displace(chosen: Sequence[Crystal], random: np.random.Generator) -> None:
    """Displace the atoms of every second crystal."""
    for crystal in chosen:
        if random.random() < 0.5:
            crystal.cell.rattle(random.uniform(*DISPLACEMENT), rng=random)


def _relatives(z: int) -> list[int]:
    """Elements of the same group; lanthanoids and actinoids are one each."""
    own = _family(z)
    return [other for other in range(1, 95) if other != z and _family(other) == own]


def _any(z: int) -> list[int]:
    """All nonmetals for a nonmetal, all metals for the others."""
    if z in NONMETALS:
        return sorted(NONMETALS)
    return [other for other in range(1, 95) if other not in NONMETALS | NOBLE_GASES]


def _family(z: int) -> tuple[int, str]:
    element = Element.from_Z(z)
    block = "f" if element.is_lanthanoid or element.is_actinoid else element.block
    return (element.row if block == "f" else element.group), block


def _size(graph: CrystalGraph, numbers: np.ndarray) -> float:
    """Mean sum of two covalent radii, in Å, over the neighbours in a crystal with other elements;
    near ones count most."""
    weight = np.linalg.norm(graph.vector, axis=1) ** -POWER
    radius = covalent_radii[numbers]
    return float(np.average(radius[graph.receiver] + radius[graph.sender], weights=weight))
