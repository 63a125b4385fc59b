"""Training rows from the labels of a potential: directions for crystals of which first principles
know K and G only, and how stiffnesses change with the volume."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import log

import numpy as np
from ase import Atoms

from ase_eqtensor.errors import DataError
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.sources import LABELS_ALONE, TEACHER
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import STRAINED, Record, Rejection
from ase_eqtensor.train.targets.stiffness import ELASTIC, TAUGHT, TAUGHT_COLUMN, G, K
from ase_eqtensor.train.teacher.labels import Label
from ase_eqtensor.train.teacher.moduli import moduli, stiffening
from ase_eqtensor.train.teacher.shear import SHEAR, family
from ase_eqtensor.train.teacher.taught import strained_stiffness, taught_stiffness

# A potential that is further off in K or G than this has another crystal in mind, and so other
# directions: ln(potential / first principles). Of G it is too soft by a third in the median.
K_RANGE = (-0.3, 0.3)
G_RANGE = (-1.2, 0.3)
# Of -dlnK/dlnV between a crystal and its copy. Beyond it, mostly in widely expanded crystals, the
# potential falls apart, or has another structure.
PRESSURE_RANGE = (1.5, 9.0)

Copies = dict[float, Label]  # volume ratio -> label of one crystal


class LabelledSource(Source):
    """A source, and after each of its crystals the rows of `taught` from labels of this crystal.

    A crystal gives a row for itself, unless it has a tensor from first principles, and one for
    every strained copy. Where first principles do not know K and G, as in the data sets
    `dielectric` and `formation_energy`, they are the potential's, with the shear mended by
    chemistry (shear.py). Copies have the potential's strained crystal, scaled by what the
    potential's relaxed volume is off. A label that cannot be used is a `Rejection` with the reason.
    """

    def __init__(self, source: Source, labels: Iterable[Label]):
        self.source, self.name = source, source.name
        self.labels = _by_crystal(labels)

    def records(self) -> Iterator[Record | Rejection]:
        for row in self.source.records():
            yield row
            if isinstance(row, Record) and (row.dataset, row.source_id) in self.labels:
                yield from _rows(row, self.labels[row.dataset, row.source_id], TEACHER)


class OwnLabels(Source):
    """Rows of `taught` from labels of crystals that no data set has, a user's own or made-up ones
    (train/pretraining/prototypes.py), as the potential relaxed them."""

    name = LABELS_ALONE

    def __init__(self, labels: Iterable[Label]):
        self.labels = _by_crystal(label for label in labels if not label.dataset)

    def records(self) -> Iterator[Record | Rejection]:
        for (_, name), copies in self.labels.items():
            if 1.0 in copies:
                row = Record(copies[1.0].atoms, "", LABELS_ALONE, name, {})
                at_rest = {x: replace(y, relaxed_volume_ratio=1.0) for x, y in copies.items()}
                yield from _rows(row, at_rest, LABELS_ALONE)


def _by_crystal(labels: Iterable[Label]) -> dict[tuple[str, str], Copies]:
    """(data set, id) -> labels."""
    found: dict[tuple[str, str], Copies] = defaultdict(dict)
    for label in labels:
        found[label.dataset, label.id][label.volume_ratio] = label
    return dict(found)


def _rows(row: Record, copies: Copies, source: str) -> Iterator[Record | Rejection]:
    """The rows of `taught` that a row and the labels of its crystal give, of a source."""
    relaxed = copies.get(1.0)
    if relaxed is None:
        return
    try:
        known = _known(row, relaxed)
    except DataError as error:
        yield Rejection(TAUGHT.name, row.source_id, relaxed.formula, str(error))
        return
    if known is None:
        return
    if row.dataset != ELASTIC.name:
        yield _record(row.atoms, source, row.source_id, known)
    for ratio, copy in sorted(copies.items()):
        if ratio == 1:
            continue
        name = f"{row.source_id}{STRAINED}{ratio:g}"
        if unsound := _unsound(copy) or _odd_response(copy, relaxed):
            yield Rejection(TAUGHT.name, name, copy.formula, unsound)
            continue
        labels = np.array(copy.stiffness_gpa), np.array(relaxed.stiffness_gpa)
        yield _record(_strained(copy), source, name, strained_stiffness(known, *labels))


def _known(row: Record, relaxed: Label) -> np.ndarray | None:
    """The stiffness (6, 6; eV/Å^3, Voigt) of a row's crystal: its own or a taught one; None if its
    own is doubtful. Raises DataError with the reason if the label teaches nothing."""
    if reason := _unsound(relaxed):
        raise DataError(reason)
    if row.dataset == ELASTIC.name:
        curated = curate(row)
        if isinstance(curated, Rejection) or curated.quarantine:
            return None
        return np.asarray(curated.targets[STIFFNESS.name])
    own = moduli([relaxed])[0]
    k, g = _moduli(row, relaxed, own)
    if reason := _disagreement(own, k, g):
        raise DataError(reason)
    return taught_stiffness(np.array(relaxed.stiffness_gpa), k, g)


def _record(atoms: Atoms, source: str, name: str, stiffness: np.ndarray) -> Record:
    return Record(atoms, TAUGHT.name, source, name, {TAUGHT_COLUMN: stiffness})


def _strained(copy: Label) -> Atoms:
    """The copy at its share of the given crystal's volume, not of the relaxed one's."""
    atoms = copy.atoms
    scale = copy.relaxed_volume_ratio ** (-1 / 3)
    atoms.set_cell(scale * atoms.cell[:], scale_atoms=True)
    return atoms


def _unsound(label: Label) -> str:
    """Why a label teaches nothing; "" if it does."""
    if not label.converged:
        return "the potential's relaxation did not converge"
    if not label.stable:
        return f"unstable in the potential: {label.least_eigenvalue_gpa:.2f} GPa"
    return ""


def _odd_response(copy: Label, relaxed: Label) -> str:
    """Why a copy's change of K is not that of a strained solid; "" if it may be."""
    (response,) = stiffening([copy], [relaxed])
    low, high = PRESSURE_RANGE
    return "" if low < response < high else f"odd under pressure: -dlnK/dlnV = {response:.1f}"


def _moduli(row: Record, label: Label, own: np.ndarray) -> tuple[float, float]:
    """K and G of a row, in GPa: from first principles, or its label's `own` (2,) with the shear
    mended."""
    if K in row.targets:
        return float(row.targets[K]), float(row.targets[G])
    k, g = map(float, own)
    return k, g / SHEAR[family(label.numbers)]


def _disagreement(own: np.ndarray, k: float, g: float) -> str:
    """Why the directions of a label with K and G `own` (2,) are not those of a crystal with K and G
    (GPa); "" if they may be."""
    if min(k, g) <= 0:
        return f"modulus not positive: K = {k:.2f} GPa, G = {g:.2f} GPa"
    for name, ours, true, (low, high) in zip("KG", own, (k, g), (K_RANGE, G_RANGE)):
        if not low < log(ours / true) < high:
            return f"the potential disagrees: its {name} is {ours:.1f} GPa, not {true:.1f}"
    return ""
