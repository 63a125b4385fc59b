"""Everything about a crystal that comes before the network: checks, symmetry, graph."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from ..crystal.graph import CrystalGraph, build_graph
from ..crystal.metals import is_likely_metal
from ..crystal.symmetry import DEFAULT_SYMPREC, analyse, primitive
from ..crystal.validation import as_atoms, check_structure, structure_warnings
from ..errors import (
    ElementError,
    EqTensorError,
    EqTensorWarning,
    MetalWarning,
    UnknownSymmetryWarning,
    UntrainedElementWarning,
)
from ..properties import PROPERTIES


@dataclass(frozen=True)
class PreparedCrystal:
    """A crystal that passed all checks, ready for the network.

    formula: as ASE writes it.
    graph: of the cell that is predicted on.
    volume: of the same cell, Å^3.
    rotations: (G, 3, 3) point group in the caller's frame.
    refused: property -> error, for elements that its training data lack.
    warnings: what a user should know.
    """

    formula: str
    graph: CrystalGraph
    volume: float
    rotations: np.ndarray
    refused: dict[str, EqTensorError]
    warnings: tuple[EqTensorWarning, ...]


@dataclass(frozen=True)
class Preparation:
    """Turns structures into `PreparedCrystal`s; holds no network, so that it is cheap to send to
    other processes.

    model: name of the model, for messages.
    elements: training target -> atomic numbers that its data cover.
    cutoff: of the neighbour list, in Å.
    reduce_cell, symprec, allow_untrained_elements: see `Predictor`.
    """

    model: str
    elements: dict[str, frozenset[int]]
    cutoff: float
    reduce_cell: bool = True
    symprec: float = DEFAULT_SYMPREC
    allow_untrained_elements: bool = False

    def __call__(self, structure) -> PreparedCrystal:
        """Prepare ASE atoms or a pymatgen structure; raises StructureError for bad input."""
        atoms = as_atoms(structure)
        check_structure(atoms)
        warnings = structure_warnings(atoms)
        refused, untrained = self._element_coverage(atoms)
        if is_likely_metal(atoms):
            warnings.append(
                MetalWarning(
                    f"{atoms.get_chemical_formula()} is probably a metal, which has no static "
                    "dielectric tensor; the model saw insulators only. Do not use its dielectric "
                    "tensors unless you know of a band gap.",
                    tuple(
                        name for name, declared in PROPERTIES.items() if declared.insulators_only
                    ),
                )
            )
        symmetry = analyse(atoms, self.symprec)
        if not symmetry.known:
            warnings.append(
                UnknownSymmetryWarning(
                    f"{atoms.get_chemical_formula()}: no symmetry found within {self.symprec} Å; "
                    "the tensors are those of the bare network on the given cell"
                )
            )
        site_class, cell = symmetry.site_class, atoms
        if self.reduce_cell:
            cell = primitive(atoms, symmetry)
            site_class = site_class[symmetry.primitive_index]
        graph = build_graph(cell, self.cutoff, site_class)
        formula = atoms.get_chemical_formula()
        warnings = (*warnings, *untrained)
        volume = cell.get_volume()
        return PreparedCrystal(formula, graph, volume, symmetry.rotations, refused, warnings)

    def attempt(self, structure) -> PreparedCrystal | EqTensorError:
        """The same for lists, where one bad crystal must not stop the others."""
        try:
            return self(structure)
        except EqTensorError as error:
            return error

    def each(
        self, structures: Sequence, workers: int = 1
    ) -> Iterator[PreparedCrystal | EqTensorError]:
        """`attempt` for every structure, in order, in `workers` processes (-1: one per core)."""
        if workers == 1:
            return map(self.attempt, structures)
        from joblib import Parallel, delayed  # slow to import, and only long lists need it

        parallel = Parallel(n_jobs=workers, return_as="generator")
        return parallel(delayed(self.attempt)(structure) for structure in structures)

    def _element_coverage(
        self, atoms: Atoms
    ) -> tuple[dict[str, EqTensorError], list[EqTensorWarning]]:
        refused: dict[str, EqTensorError] = {}
        warnings: list[EqTensorWarning] = []
        present = set(atoms.numbers.tolist())
        for name, declared in PROPERTIES.items():
            if missing := present - self.elements[declared.trained_on]:
                symbols = ", ".join(chemical_symbols[z] for z in sorted(missing))
                text = (
                    f"{atoms.get_chemical_formula()}: {symbols} does not occur in the training "
                    f"data of {declared.trained_on} of model {self.model!r}"
                )
                if self.allow_untrained_elements:
                    warnings.append(UntrainedElementWarning(text, (name,)))
                else:
                    refused[name] = ElementError(
                        f"{text}, so {name} would be a guess. Pass "
                        "allow_untrained_elements=True to get it all the same."
                    )
        return refused, warnings
