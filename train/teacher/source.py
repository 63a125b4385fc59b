"""Training rows from the labels of a potential: directions for crystals of which first principles
know K and G only, and how stiffnesses change with the volume."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import log

import numpy as np
import torch
from ase import Atoms

from ase_eqtensor.errors import DataError
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.sources import TEACHER
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets.stiffness import ELASTIC, TAUGHT, TAUGHT_COLUMN, G, K
from ase_eqtensor.train.teacher.labels import Label
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
                yield from _rows(row, self.labels[row.dataset, row.source_id])


class OwnLabels(Source):
    """Rows of `taught` from labels of a user's own crystals, as the potential relaxed them."""

    name = "labels"

    def __init__(self, labels: Iterable[Label]):
        self.labels = _by_crystal(label for label in labels if not label.dataset)

    def records(self) -> Iterator[Record | Rejection]:
        for (_, name), copies in self.labels.items():
            if 1.0 in copies:
                row = Record(copies[1.0].atoms, "", TEACHER, name, {})
                at_rest = {x: replace(y, relaxed_volume_ratio=1.0) for x, y in copies.items()}
                yield from _rows(row, at_rest)


def _by_crystal(labels: Iterable[Label]) -> dict[tuple[str, str], Copies]:
    """(data set, id) -> labels."""
    found: dict[tuple[str, str], Copies] = defaultdict(dict)
    for label in labels:
        found[label.dataset, label.id][label.volume_ratio] = label
    return dict(found)


def _rows(row: Record, copies: Copies) -> Iterator[Record | Rejection]:
    """The rows of `taught` that a row and the labels of its crystal give."""
    relaxed = copies.get(1.0)
    if relaxed is None:
        return
    known: np.ndarray | None = None
    reason = _unsound(relaxed)
    if not reason and row.dataset == ELASTIC.name:
        curated = curate(row)
        if isinstance(curated, Record) and not curated.quarantine:
            known = np.asarray(curated.targets[STIFFNESS.name])
    elif not reason:
        k, g = _moduli(row, relaxed)
        reason = _disagreement(relaxed, k, g)
        if not reason:
            try:
                known = taught_stiffness(np.array(relaxed.stiffness_gpa), k, g)
                yield _record(row.atoms, row.source_id, known)
            except DataError as error:
                reason = str(error)
    if reason:
        yield Rejection(TAUGHT.name, row.source_id, relaxed.formula, reason)
    if known is None:
        return
    for ratio, copy in sorted(copies.items()):
        if ratio == 1:
            continue
        name = f"{row.source_id}@{ratio:g}"
        if unsound := _unsound(copy) or _odd_response(copy, relaxed):
            yield Rejection(TAUGHT.name, name, copy.formula, unsound)
            continue
        labels = np.array(copy.stiffness_gpa), np.array(relaxed.stiffness_gpa)
        yield _record(_strained(copy), name, strained_stiffness(known, *labels))


def _record(atoms: Atoms, name: str, stiffness: np.ndarray) -> Record:
    return Record(atoms, TAUGHT.name, TEACHER, name, {TAUGHT_COLUMN: stiffness})


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
    change = log(_averages(copy)[0] / _averages(relaxed)[0])
    response = -change / log(copy.volume_ratio)
    low, high = PRESSURE_RANGE
    return "" if low < response < high else f"odd under pressure: -dlnK/dlnV = {response:.1f}"


def _moduli(row: Record, label: Label) -> tuple[float, float]:
    """K and G of a row, in GPa: its own, or the label's with the shear mended."""
    if K in row.targets:
        return float(row.targets[K]), float(row.targets[G])
    k, g = _averages(label)
    return k, g / SHEAR[family(label.numbers)]


def _averages(label: Label) -> tuple[float, float]:
    """K and G of a label in GPa (Hill)."""
    mandel = torch.from_numpy(STIFFNESS.from_ase(np.array(label.stiffness_gpa)))
    k, g = hill_average(mandel)
    return float(k), float(g)


def _disagreement(label: Label, k: float, g: float) -> str:
    """Why a label's directions are not those of a crystal with K and G (GPa); "" if they may be."""
    if min(k, g) <= 0:
        return f"modulus not positive: K = {k:.2f} GPa, G = {g:.2f} GPa"
    for name, own, true, (low, high) in zip("KG", _averages(label), (k, g), (K_RANGE, G_RANGE)):
        if not low < log(own / true) < high:
            return f"the potential disagrees: its {name} is {own:.1f} GPa, not {true:.1f}"
    return ""
