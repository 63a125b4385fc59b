"""The file of labels: newline-delimited JSON, gzipped or not, a `Label` or a failure on each line.

The first line is the header: the calculator, its library and level of theory, and the settings of
relaxation and finite strains. A failure has `id`, `dataset`, `formula`, `volume_ratio` and `error`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from ase import Atoms

from ase_eqtensor.errors import DataError
from ase_eqtensor.potential import relaxation, response
from ase_eqtensor.potential.opinion import SOFTEST, Opinion
from ase_eqtensor.train.folds import fold_of
from ase_eqtensor.train.lines import LineFile, dump

Key = tuple[str, str, float]  # dataset, id, volume ratio

DIGITS = {
    "stiffness_gpa": 2,
    "clamped_gpa": 2,
    "stress_gpa": 3,
    "cell": 5,
    "positions": 5,
    "force_constants": 3,
    "internal_strain": 3,
}
SIGNIFICANT = 4  # digits of all other numbers


@dataclass(frozen=True)
class Label:
    """The stiffness of a crystal, or of a strained copy, at the level of theory of the header.

    id, dataset: of the crystal that it was made from; dataset "" for a user's own.
    formula: pymatgen's reduced formula, which decides the fold.
    volume_ratio: to the relaxed crystal; 1 is the relaxed crystal itself, the others are strained
        copies with relaxed ions.
    relaxed_volume_ratio: volume of the relaxed crystal over that of the given one.
    numbers (P,), cell (3, 3; Å), positions (P, 3; Å): the primitive crystal that the tensors belong
        to. Its Cartesian frame, and theirs, is that of the given crystal.
    stiffness_gpa: (6, 6), GPa, Voigt order xx yy zz yz xz xy, with relaxed ions. Under pressure
        these are the coefficients of stress against strain.
    clamped_gpa: the same with ions that follow the strain.
    least_eigenvalue_gpa: of the stiffness in Mandel form; the crystal is unstable below zero.
    least_force_constant: eV/Å^2, lowest curvature among the displacements that strains cause; None
        if there are none. Where it is not positive the ions have no minimum.
    misfit: of the symmetric finite-strain fit, relative.
    converged: of the relaxations; max_force: left over, in eV/Å.
    stress_gpa: (6,), GPa, Voigt order, positive under tension; about 0 for the relaxed crystal.
    evaluations: of forces and stress; seconds: of one process.
    force_constants: (3 P, 3 P), eV/Å^2, of all displacements at Gamma; None if not asked for.
    internal_strain: (3 P, 6), Å, see `Response`; None if not asked for.
    """

    id: str
    dataset: str
    formula: str
    volume_ratio: float
    relaxed_volume_ratio: float
    numbers: list[int]
    cell: list[list[float]]
    positions: list[list[float]]
    stiffness_gpa: list[list[float]]
    clamped_gpa: list[list[float]]
    least_eigenvalue_gpa: float
    least_force_constant: float | None
    misfit: float
    converged: bool
    max_force: float
    stress_gpa: list[float]
    evaluations: int
    seconds: float
    force_constants: list[list[float]] | None = None
    internal_strain: list[list[float]] | None = None

    @property
    def atoms(self) -> Atoms:
        """The crystal that the tensors belong to."""
        return Atoms(self.numbers, self.positions, cell=self.cell, pbc=True)

    @property
    def stable(self) -> bool:
        """Whether the crystal resists every strain and every displacement that a strain causes."""
        resists = self.least_force_constant is None or self.least_force_constant > 0
        return self.least_eigenvalue_gpa > SOFTEST and resists

    @property
    def opinion(self) -> Opinion:
        """The label of a relaxed crystal as what a calculator says of it."""
        constants = self.force_constants
        return Opinion(
            self.atoms,
            self.relaxed_volume_ratio,
            self.converged,
            np.array(self.stiffness_gpa),
            self.least_force_constant,
            None if constants is None else np.array(constants),
            self.evaluations,
            self.seconds,
        )

    @property
    def fold(self) -> int:
        """The run (0..4) that tests this composition, in which the label must not be used."""
        return fold_of(self.formula)


_NAMES = frozenset(field.name for field in fields(Label))
_OPTIONAL = {"force_constants", "internal_strain"}


def _key(entry: dict) -> Key:
    if "error" not in entry and (odd := entry.keys() ^ _NAMES) - _OPTIONAL:
        raise ValueError(f"it lacks or adds {sorted(odd - _OPTIONAL)}")
    return entry["dataset"], entry["id"], float(entry["volume_ratio"])


LABELS = LineFile(
    format="eqtensor-labels-1",
    command="eqtensor data label",
    fixed=("calculator", "library", "level_of_theory", "settings"),
    key=_key,
)
SETTINGS = {
    "strain": response.STEP / response.LENGTH,
    "displacement_ang": response.STEP,
    "max_force_ev_ang": relaxation.MAX_FORCE,
    "max_stress_gpa": relaxation.MAX_STRESS,
}


def line(entry: Label | dict) -> bytes:
    """A label, its numbers rounded, or a failure as a line of the file."""
    if isinstance(entry, dict):
        return dump(entry)
    values = asdict(entry)
    for name, value in list(values.items()):
        if value is None and name in _OPTIONAL:
            del values[name]
        elif name in DIGITS:
            values[name] = (np.round(value, DIGITS[name]) + 0.0).tolist()  # no -0.0
        elif isinstance(value, float):
            values[name] = float(f"{value:.{SIGNIFICANT}g}")
    return dump(values)


def read_labels(path: Path) -> list[Label]:
    """The labels of a file of `eqtensor data label`, failures left out.

    An incomplete last line, of a run that goes on or was killed, is left out, too. Raises DataError
    if `path` is not such a file, or has a damaged line.
    """
    LABELS.read_header(path)
    labels = [Label(**entry) for entry in LABELS.read(path) if "error" not in entry]
    if not labels:
        raise DataError(f"{path} has no label yet")
    return labels


def read_label_files(paths: Iterable[Path]) -> list[Label]:
    """The labels of several files. Raises DataError as `read_labels`, or if two of the files label
    the same crystal at the same volume: neither is better by itself."""
    found: dict[Key, tuple[Path, Label]] = {}
    for path in paths:
        for label in read_labels(path):
            key = label.dataset, label.id, label.volume_ratio
            other, _ = found.setdefault(key, (path, label))
            if other != path:
                raise DataError(
                    f"{other} and {path} both label {label.id} ({label.formula}) at "
                    f"{label.volume_ratio:g} of its volume: leave out one of the files"
                )
    return [label for _, label in found.values()]


def read_failures(path: Path) -> Iterator[dict]:
    """The failures of a file of `eqtensor data label`. Raises DataError as `read_labels`."""
    LABELS.read_header(path)
    return (entry for entry in LABELS.read(path) if "error" in entry)
