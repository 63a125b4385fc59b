"""Everything about a crystal that comes before the network: checks, symmetry, graph."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from ..crystal.graph import CrystalGraph, build_graph
from ..crystal.lattice import compact
from ..crystal.metals import is_likely_metal
from ..crystal.symmetry import analyse, primitive
from ..crystal.validation import as_atoms, check_structure, describe, structure_warnings
from ..errors import (
    BorderlineSymmetryWarning,
    BorrowedElementWarning,
    ElementError,
    EqTensorError,
    EqTensorWarning,
    MetalWarning,
    UnknownSymmetryWarning,
    UntrainedElementWarning,
    VacuumWarning,
)
from ..parallel import in_parallel
from ..potential.opinion import Opinion
from ..quantities import QUANTITIES, Quantity
from .partner import Asked
from .settings import Settings


@dataclass(frozen=True)
class PreparedCrystal:
    """A crystal that passed all checks, ready for the network.

    atoms: as given, or in a reduced cell; in the caller's frame.
    graph: of the cell that is predicted on.
    volume, mass: of the same cell, in Å^3 and amu.
    rotations: (G, 3, 3) point group in the caller's frame.
    crystal_system: one of `CRYSTAL_SYSTEMS`.
    refused: quantity -> error, for elements that its training data lack.
    warnings: what a user should know.
    opinion: of the network's partner, or why it has none; None without a partner.
    """

    atoms: Atoms
    graph: CrystalGraph
    volume: float
    mass: float
    rotations: np.ndarray
    crystal_system: str
    refused: dict[str, EqTensorError]
    warnings: tuple[EqTensorWarning, ...]
    opinion: Opinion | str | None = None


@dataclass(frozen=True)
class Preparation:
    """Turns structures into `PreparedCrystal`s; holds no network, so that it is cheap to send to
    other processes.

    model: name of the model, for messages.
    elements: quantity -> atomic numbers that its training data cover.
    borrowed: quantity -> those of them that only a potential's labels cover.
    insulators_only: the quantities that metals do not have.
    cutoff: of the neighbour list, in Å.
    settings: see `Settings`.
    partner: is asked about every crystal, if there is one.
    """

    model: str
    elements: dict[str, frozenset[int]]
    borrowed: dict[str, frozenset[int]]
    insulators_only: tuple[str, ...]
    cutoff: float
    settings: Settings = Settings()
    partner: Asked | None = None

    def __call__(self, structure) -> PreparedCrystal:
        """Prepare ASE atoms or a pymatgen structure; raises StructureError for bad input."""
        atoms = as_atoms(structure)
        check_structure(atoms)
        atoms = compact(atoms)  # in the same frame
        warnings = structure_warnings(atoms)
        symmetry = analyse(atoms, self.settings.symprec)
        forbidden = self._forbidden(symmetry.rotations)
        refused, untrained = self._element_coverage(atoms, forbidden)
        doubtful = tuple(name for name in self.insulators_only if name not in forbidden)
        if doubtful and is_likely_metal(atoms):
            warnings.append(
                MetalWarning(
                    f"{describe(atoms)} is probably a metal, which has no static "
                    "dielectric tensor; the model saw insulators only. Do not use its "
                    f"{', '.join(doubtful)} unless you know of a band gap.",
                    doubtful,
                )
            )
        if not symmetry.known:
            warnings.append(
                UnknownSymmetryWarning(
                    f"{describe(atoms)}: no symmetry found within "
                    f"{self.settings.symprec} Å; the tensors are those of the bare network on the "
                    "given cell"
                )
            )
        if symmetry.borderline:
            warnings.append(
                BorderlineSymmetryWarning(
                    f"{describe(atoms)}: space group {symmetry.space_group} was found within "
                    f"symprec = {self.settings.symprec} Å, another one within half or twice of it; "
                    "the tensors depend on which. Relax the crystal, or choose symprec well above "
                    "or below its noise."
                )
            )
        site_class, cell = symmetry.site_class, atoms
        if self.settings.reduce_cell:
            cell = primitive(atoms, symmetry)
            site_class = site_class[symmetry.primitive_index]
        odd = any(q.form.odd for q in self._quantities() if q.name not in forbidden)
        graph = build_graph(cell, self.cutoff, site_class, symmetry.polar, odd)
        volume, mass = cell.get_volume(), cell.get_masses().sum()
        return PreparedCrystal(
            atoms,
            graph,
            volume,
            mass,
            symmetry.rotations,
            symmetry.crystal_system,
            refused,
            (*warnings, *untrained),
            self._opinion(atoms, warnings),
        )

    def _opinion(self, atoms: Atoms, warnings: Sequence[EqTensorWarning]) -> Opinion | str | None:
        """What the partner says, or why it was not asked; None without a partner."""
        if self.partner is None:
            return None
        kinds = {type(warning) for warning in warnings}
        if VacuumWarning in kinds:
            return "it was not asked about a cell with vacuum, which it would relax away"
        insulator = MetalWarning not in kinds
        return self.partner(atoms, self.settings.symprec, force_constants=insulator)

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
        return in_parallel(self.attempt, [(structure,) for structure in structures], workers)

    def _forbidden(self, rotations: np.ndarray) -> frozenset[str]:
        """Quantities that are zero by symmetry, whatever the elements."""
        if not self.settings.project:
            return frozenset()
        return frozenset(q.name for q in self._quantities() if q.form.forbidden(rotations))

    def _quantities(self) -> Iterator[Quantity]:
        """Those of the model."""
        return (QUANTITIES[name] for name in self.elements)

    def _element_coverage(
        self, atoms: Atoms, forbidden: frozenset[str]
    ) -> tuple[dict[str, EqTensorError], list[EqTensorWarning]]:
        """Quantities that are refused, and warnings; of what is `forbidden` no element matters, as
        long as anything else is known of the crystal."""
        refused: dict[str, EqTensorError] = {}
        warnings: list[EqTensorWarning] = []
        present = set(atoms.numbers.tolist())
        for name, covered in self.elements.items():
            if borrowed := present & self.borrowed[name]:
                text = (
                    f"{describe(atoms)}: model {self.model!r} knows {_symbols(borrowed)} in {name} "
                    "from the labels of a potential only, not from first principles"
                )
                warnings.append(BorrowedElementWarning(text, (name,)))
            if missing := present - covered:
                verb = "does" if len(missing) == 1 else "do"
                text = (
                    f"{describe(atoms)}: {_symbols(missing)} {verb} not occur in the training "
                    f"data of {name} of model {self.model!r}"
                )
                if self.settings.allow_untrained_elements:
                    warnings.append(UntrainedElementWarning(text, (name,)))
                else:
                    refused[name] = ElementError(
                        f"{text}, so {name} would be a guess. Pass "
                        "allow_untrained_elements=True to get it all the same."
                    )
        if self.elements.keys() - refused.keys() - forbidden:
            refused = {name: error for name, error in refused.items() if name not in forbidden}
        warnings = [w for w in warnings if not forbidden & set(w.properties or ())]
        return refused, warnings


def _symbols(numbers: Iterable[int]) -> str:
    return ", ".join(chemical_symbols[z] for z in sorted(numbers))
