"""The verdict on a tensor: the likeliest of all that it may stand for, and what speaks for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms

from ..crystal.symmetry import CrystalSymmetry, analyse
from ..prediction.known import LEVEL, Comparison
from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES, Quantity
from ..quantities.stiffness import STIFFNESS
from .expectation import LEAST, Expectation, Fit
from .frames import named_frames, turned_axes
from .readings import IONS, Reading, readings

FINE, FAR, WRONG, DOUBTFUL = "fine", "far", "wrong", "doubtful"

POSSIBLE = 0.05  # probability above which another reading is told
SAME = 0.02  # relative difference below which two readings are one
UNLIKELY = 0.05  # of the likeliest reading: others that do the same are not told
NEGLIGIBLE = 20.0  # below the best logarithm of a probability
BROKEN = 0.1  # relative part of a tensor that may break the symmetry before it is doubtful
UNSTABLE = 0.02  # of the norm, by which an eigenvalue may be too small before it is doubtful
NOTHING = 1e-12  # norm of a tensor that is zero
CLAMPED = "with clamped ions: the file has no ionic contribution"


@dataclass(frozen=True, eq=False)
class Verdict:
    """What is to be thought of a tensor of a crystal.

    name: of the quantity, see `QUANTITIES`.
    given: (*shape) as written, in the unit of the quantity.
    status: "fine": it obeys the point group and is as expected; "far": it is outside the model's
        90 % bound, which one right tensor in ten is; "wrong": a mistake explains it; "doubtful":
        it cannot be right, and no known mistake explains it.
    causes: kinds of mistakes that do the same, the likeliest first: "frame", "Voigt order", "unit",
        "ions", "transposed", "convention", or two of them; empty without a mistake.
    explanation: the mistake in words, likeliest first where several do the same.
    repaired: (*shape) with the mistake undone, averaged over the point group; None without one, or
        where it cannot be undone.
    possible: other readings that remain possible, with their probabilities.
    evidence: numbers by name: "broken" and "broken_repaired", relative part that breaks the point
        group or the symmetry of indices; "error" and "error_repaired", relative distance from what
        the model expects; "bound", that of nine right tensors in ten; "known" and
        "known_repaired", relative distance from the tensor of the same structure in the training
        data; "least_eigenvalue" of a stiffness or permittivity in its unit, Mandel form;
        "probability" of the reading.
    entry: the entry of the training data that has the same structure, or "".
    """

    name: str
    given: np.ndarray
    status: str
    causes: tuple[str, ...] = ()
    explanation: tuple[str, ...] = ()
    repaired: np.ndarray | None = None
    possible: tuple[tuple[str, float], ...] = ()
    evidence: dict[str, float] = field(default_factory=dict)
    entry: str = ""

    @property
    def alarm(self) -> bool:
        """Whether the tensor should not be used as it is."""
        return self.status in (WRONG, DOUBTFUL)

    @property
    def tensor(self) -> np.ndarray:
        """(*shape): the repaired one where there is one, else as given."""
        return self.given if self.repaired is None else self.repaired

    def to_dict(self) -> dict:
        """JSON-able form, without the given tensor."""
        return {
            "status": self.status,
            "causes": list(self.causes),
            "explanation": list(self.explanation),
            "repaired": None if self.repaired is None else self.repaired.tolist(),
            "possible": [{"reading": told, "probability": p} for told, p in self.possible],
            "evidence": self.evidence,
            "training_data": self.entry,
        }


def verdicts(
    atoms: Atoms,
    tensors: Mapping[str, np.ndarray],
    prediction: Prediction | None,
    symprec: float,
    known: Mapping[str, Comparison] | None = None,
    clamped: Collection[str] = (),
) -> dict[str, Verdict]:
    """Quantity -> verdict on each tensor (*shape; the quantity's unit) of a crystal.

    Args:
        atoms: the crystal. tensors: by the names of quantities.
        prediction: what the model says of it; without one the point group alone decides.
        symprec: tolerance of the symmetry search in Å.
        known: what the training data hold of this structure, see `compared`.
        clamped: names of tensors of which their file says that the ions were clamped.
    """
    symmetry = analyse(atoms, symprec)
    frames = named_frames(atoms, symmetry, symprec)
    turned = turned_axes(frames, symmetry)
    stiffness = None if prediction is None else prediction.tensors.get(STIFFNESS.name)
    found = {}
    for name, written in tensors.items():
        quantity = QUANTITIES[name]
        possible = readings(quantity, np.asarray(written, float), frames, turned, stiffness)
        if name in clamped:
            found[name] = Verdict(name, possible[0].assumed, WRONG, (IONS,), (CLAMPED,))
            continue
        case = _Case.of(quantity, possible, prediction, symmetry)
        found[name] = case.verdict(prediction, (known or {}).get(name))
    return found


@dataclass(frozen=True, eq=False)
class _Case:
    """A tensor with all its readings.

    groups: indices of readings that come to the same, the likeliest first in each; as written in
        the first. shares: probability of each group. allowed: (n, *form.shape) of each reading,
        averaged over the point group. fit: of the readings of the quantity itself, as written
        first.
    """

    quantity: Quantity
    possible: list[Reading]
    groups: list[list[int]]
    shares: np.ndarray
    allowed: np.ndarray
    fit: Fit

    @classmethod
    def of(
        cls,
        quantity: Quantity,
        possible: list[Reading],
        prediction: Prediction | None,
        symmetry: CrystalSymmetry,
    ) -> "_Case":
        own = Expectation.of(quantity, prediction, symmetry.rotations)
        if own.array is None:  # units and ions cannot be told without an expectation
            possible = [reading for reading in possible if reading.expected == quantity.name]
        arrays = np.stack([quantity.from_ase(reading.assumed) for reading in possible])
        mine = np.array([reading.expected == quantity.name for reading in possible])
        fit = own.fit(arrays[mine])
        logarithm = np.empty(len(possible))
        logarithm[mine] = fit.logarithm
        for i in np.flatnonzero(~mine):
            other = QUANTITIES[possible[i].expected]
            expected = Expectation.of(other, prediction, symmetry.rotations)
            there = expected.array is not None
            logarithm[i] = expected.fit(arrays[[i]]).logarithm[0] if there else -np.inf
        logarithm += np.log([reading.weight for reading in possible])
        allowed = own.allowed(arrays)
        groups = _grouped(possible, arrays, allowed, logarithm)
        weights = np.array([np.logaddexp.reduce(logarithm[group]) for group in groups])
        shares = np.exp(weights - weights.max())
        return cls(quantity, possible, groups, shares / shares.sum(), allowed, fit)

    def verdict(self, prediction: Prediction | None, known: Comparison | None) -> Verdict:
        """That of the likeliest readings."""
        quantity, written = self.quantity, self.possible[0].assumed
        zero = np.linalg.norm(written) < NOTHING
        best = 0 if zero else int(self.shares.argmax())
        members = [self.possible[i] for i in self.groups[best]]
        likeliest = max(member.weight for member in members)
        members = [member for member in members if member.weight > UNLIKELY * likeliest]
        repaired = None
        if best and members[0].tensor is not None:
            repaired = quantity.to_ase(self.allowed[self.groups[best][0]])
        evidence = {"probability": float(self.shares[best]), "broken": float(self.fit.broken[0])}
        if np.isfinite(least := self.fit.least[0] + (quantity.least_eigenvalue or 0.0)):
            evidence["least_eigenvalue"] = float(least)
        bound = None
        if prediction is not None and quantity.name in prediction.tensors:
            estimate = prediction.uncertainty.get(quantity.name)
            bound = estimate.relative_error[LEVEL] if estimate else None
            evidence |= self._distances("error", prediction.tensors[quantity.name], repaired)
        if bound:
            evidence["bound"] = bound
        if known is not None:
            evidence |= self._distances("known", known.tensor, repaired)
        if repaired is not None:
            undone = quantity.from_ase(members[0].assumed)
            away = np.linalg.norm(undone - quantity.from_ase(repaired))
            evidence["broken_repaired"] = float(away / np.linalg.norm(undone))
        return Verdict(
            quantity.name,
            written,
            WRONG if best else self._status(evidence.get("error"), bound),
            tuple(dict.fromkeys(m.cause for m in members)) if best else (),
            tuple(dict.fromkeys(m.explanation for m in members)) if best else (),
            repaired,
            self._others(best),
            evidence,
            known.source_id if known else "",
        )

    def _status(self, error: float | None, bound: float | None) -> str:
        """Of a tensor that no mistake explains better."""
        size = np.linalg.norm(self.quantity.from_ase(self.possible[0].assumed))
        if self.fit.broken[0] > BROKEN or self.fit.least[0] < -UNSTABLE * size:
            return DOUBTFUL
        return FAR if error is not None and bound and error > bound else FINE

    def _distances(
        self, name: str, other: np.ndarray, repaired: np.ndarray | None
    ) -> dict[str, float]:
        """Relative distances of the tensor as written and repaired from another."""
        if not np.any(other):
            return {}
        found = {name: self.quantity.relative_error(self.possible[0].assumed, other)}
        if repaired is not None:
            found[f"{name}_repaired"] = self.quantity.relative_error(repaired, other)
        return found

    def _others(self, best: int) -> tuple[tuple[str, float], ...]:
        """Other groups that are possible, the likeliest first."""
        order = [k for k in np.argsort(-self.shares) if k != best and self.shares[k] > POSSIBLE]
        return tuple(
            (self.possible[self.groups[k][0]].explanation, float(self.shares[k])) for k in order
        )


def _grouped(
    possible: list[Reading], arrays: np.ndarray, allowed: np.ndarray, logarithm: np.ndarray
) -> list[list[int]]:
    """Indices of readings by what they make of the tensor: two are one if they are alike after the
    average over the point group, and break it by as much."""
    norms = np.maximum(np.linalg.norm(arrays, axis=(1, 2)), NOTHING)
    broken = np.linalg.norm(arrays - allowed, axis=(1, 2)) / norms
    groups: list[list[int]] = []
    order = 1 + np.argsort(-logarithm[1:], kind="stable")
    for i in [0, *order[logarithm[order] > logarithm.max() - NEGLIGIBLE]]:
        for group in groups:
            j = group[0]
            if (
                possible[j].expected == possible[i].expected
                and abs(broken[i] - broken[j]) < SAME
                and np.linalg.norm(allowed[i] - allowed[j]) < SAME * max(norms[j], LEAST)
            ):
                group.append(int(i))
                break
        else:
            groups.append([int(i)])
    return groups
