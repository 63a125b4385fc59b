"""Measured values of crystals: a table of the project's own, and permittivities by others."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms

from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import voigt_to_mandel
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets.permittivity import EPS_INF, EPS_TOTAL, INDEX
from ase_eqtensor.train.targets.stiffness import G, K

ELASTIC = Path(__file__).with_name("elastic.csv")


class Measurement(NamedTuple):
    """A measured scalar of a crystal.

    quantity, scalar: what was measured. source_id: Materials Project id of the crystal, or "", and
    then its reduced formula and space group. values: the scalar, or the two or three principal
    values of which it is the mean.
    """

    quantity: str
    scalar: str
    source_id: str
    formula: str
    space_group: int
    values: tuple[float, ...]

    def is_of(self, record: Record) -> bool:
        """Whether a record is this crystal."""
        if self.source_id:
            return record.source_id == self.source_id
        if record.reduced_formula != self.formula or not record.at_rest:
            return False
        return analyse(record.atoms).space_group == self.space_group

    def value(self, tensor: np.ndarray | None) -> float:
        """The scalar; of two principal values, the tensor (3, 3) of the crystal tells which of them
        is twice there."""
        if len(self.values) != 2 or tensor is None:
            return float(np.mean(self.values))
        small, middle, large = np.linalg.eigvalsh(tensor)
        low, high = sorted(self.values)
        return (2 * low + high) / 3 if large - middle > middle - small else (low + 2 * high) / 3


def elastic(path: Path = ELASTIC) -> Iterator[Measurement]:
    """K and G (Voigt-Reuss-Hill, GPa) of the cubic crystals in the project's table."""
    lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]
    for row in csv.DictReader(lines):
        c11, c12, c44 = (float(row[name]) for name in ("c11", "c12", "c44"))
        voigt = np.diag([c11] * 3 + [c44] * 3)
        voigt[:3, :3] += c12 * (1 - np.eye(3))
        stiffness = torch.from_numpy(voigt_to_mandel(voigt)[None])
        moduli = hill_average(stiffness, torch.linalg.inv(stiffness))
        formula, group = reduced_formula(Atoms(row["formula"])), int(row["space_group"])
        for name, value in zip((K, G), moduli):
            yield Measurement(STIFFNESS.name, name, "", formula, group, (float(value),))


def dielectric(path: Path) -> Iterator[Measurement]:
    """Static permittivities and refractive indices of a table by J. Riebesell
    (github.com/janosh/dielectrics), after I. Petousis et al., Sci. Data 4, 160134 (2017): columns
    `material_id`, `eps_total_exp` and `n_exp`, several principal values with commas."""
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            crystal = (row["material_id"], "", 0)
            if total := _numbers(row["eps_total_exp"]):
                yield Measurement(TOTAL.name, EPS_TOTAL, *crystal, total)
            if index := _numbers(row["n_exp"]):
                squares = tuple(n * n for n in index)
                yield Measurement(ELECTRONIC.name, EPS_INF, *crystal, squares)
                yield Measurement(ELECTRONIC.name, INDEX, *crystal, index)


def all_of(permittivities: Path | None) -> list[Measurement]:
    """The measured stiffnesses, and the permittivities of a table of one's own; nothing without."""
    return [] if permittivities is None else [*elastic(), *dielectric(permittivities)]


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(",") if part.strip())
