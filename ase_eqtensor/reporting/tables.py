"""The tables of a report: tensors with their symmetry, and scalars beside the training data."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..analysis import refractive_indices
from ..models.training_crystals import TrainingCrystal
from ..prediction.predictor import Prediction
from ..tensors.notation import GPA
from .comparison import Standing, relative_error, scalars, standing
from .numbers import fixed, number
from .pattern import Pattern, tensor_pattern

VOIGT = tuple(f"{k} {pair}" for k, pair in enumerate(("xx", "yy", "zz", "yz", "xz", "xy"), 1))
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Entry:
    """One entry of a tensor: its text, the letter that it shares with entries linked to it by
    symmetry ("" for none), whether it vanishes by symmetry, and whether it repeats one of the
    upper triangle."""

    text: str
    letter: str = ""
    zero: bool = False
    lower: bool = False


@dataclass(frozen=True)
class TensorTable:
    """A tensor as a reader sees it.

    title, unit: of the whole; labels: of rows and columns.
    """

    title: str
    unit: str
    labels: tuple[str, ...]
    rows: list[list[Entry]]


@dataclass(frozen=True)
class TensorPanel:
    """A predicted tensor with all that belongs to it.

    name: of the property.
    bounds: relative error, (expected, safe) for one crystal in two and nine in ten; None if the
        model was never calibrated.
    references: the same tensor from first principles, each with the relative error of the
        predicted one.
    """

    name: str
    table: TensorTable
    pattern: Pattern
    bounds: tuple[float, float] | None
    references: list[tuple[TensorTable, float]]


@dataclass(frozen=True)
class _Kind:
    title: str
    symbol: str
    unit: str
    scale: float  # from the unit of `PROPERTIES`
    decimals: int


KINDS = {
    "elasticity_tensor": _Kind("Stiffness C", "C", "GPa", 1 / GPA, 1),
    "compliance_tensor": _Kind("Compliance S, engineering shear", "S", "1/TPa", 1e3 * GPA, 2),
    "electronic_dielectric_tensor": _Kind("Electronic permittivity ε∞", "ε", "", 1.0, 2),
    "dielectric_tensor": _Kind("Total static permittivity ε", "ε", "", 1.0, 2),
}


def tensor_panel(
    name: str, prediction: Prediction, rotations: np.ndarray, seen: list[TrainingCrystal]
) -> TensorPanel:
    """The panel of a property that was predicted.

    Args:
        name: of the property.
        prediction: of the crystal.
        rotations: (G, 3, 3) its Cartesian point group.
        seen: crystals of the training data with its formula.
    """
    kind, value = KINDS[name], prediction.tensors[name]
    pattern = tensor_pattern(kind.symbol, rotations)
    known = prediction.uncertainty.get(name)
    references = [
        (
            _table(f"First principles, {one.source_id}", kind, one.tensors[name], pattern),
            relative_error(value, one.tensors[name]),
        )
        for one in seen
        if one.same_structure and name in one.tensors
    ]
    return TensorPanel(
        name,
        _table(kind.title, kind, value, pattern),
        pattern,
        known and (known.relative_error[0.5], known.relative_error[0.9]),
        references,
    )


def ieee_table(stiffness: np.ndarray) -> TensorTable:
    """A stiffness (6, 6) in IEEE axes, eV/Å^3, without marks: the frame is not the crystal's."""
    kind = KINDS["elasticity_tensor"]
    plain = Pattern(np.isclose(stiffness, 0, atol=1e-6), np.full((6, 6), -1), (), (), 0)
    return _table("Stiffness C in IEEE axes", kind, stiffness, plain)


def _table(title: str, kind: _Kind, value: np.ndarray, pattern: Pattern) -> TensorTable:
    n = len(value)
    rows = []
    for i in range(n):
        row = []
        for j in range(n):
            text, group = fixed(value[i, j] * kind.scale, kind.decimals), pattern.group[i, j]
            # a first-principles tensor may break the symmetry, and then shows by how much
            zero = bool(pattern.zero[i, j]) and float(text.replace("−", "-")) == 0
            letter = chr(ord("a") + group) if group >= 0 else ""
            row.append(Entry("·" if zero else text, letter, zero, i > j))
        rows.append(row)
    return TensorTable(title, kind.unit, VOIGT if n == 6 else AXES, rows)


@dataclass(frozen=True)
class ScalarRow:
    """A line of the table of scalars; texts are empty where there is nothing to say.

    standing: where the value stands among the training data.
    reference: the value from first principles.
    flags: of warnings that concern it.
    """

    label: str
    value: str
    interval: str
    standing: Standing | None
    reference: str
    flags: tuple[str, ...]


_SCALARS = (  # label, unit, name in `scalars`, property, name in `uncertainty.SCALARS`
    ("Bulk modulus K", "GPa", "k_vrh_gpa", "elasticity_tensor", "k_vrh_gpa"),
    ("Shear modulus G", "GPa", "g_vrh_gpa", "elasticity_tensor", "g_vrh_gpa"),
    ("Young’s modulus E", "GPa", "young_gpa", "elasticity_tensor", None),
    ("Poisson ratio ν", "", "poisson", "elasticity_tensor", None),
    ("Universal anisotropy", "", "universal_anisotropy", "elasticity_tensor", None),
    ("Debye temperature", "K", "debye_k", "elasticity_tensor", None),
    ("Stability: least eigenvalue of C", "GPa", "least_eigenvalue_gpa", "elasticity_tensor", None),
    ("ε∞, trace / 3", "", "eps_inf", "electronic_dielectric_tensor", "trace_third"),
    ("ε total, trace / 3", "", "eps_total", "dielectric_tensor", "trace_third"),
    ("Refractive index, mean", "", "refractive_index", "electronic_dielectric_tensor", None),
)


def scalar_rows(
    prediction: Prediction,
    predicted: Mapping[str, float],
    reference: Mapping[str, float],
    training: Mapping[str, np.ndarray],
) -> list[ScalarRow]:
    """Lines of all scalars of the properties that were predicted.

    Args:
        prediction: of the crystal.
        predicted, reference: `scalars` of its tensors and of first-principles ones.
        training: `training_scalars`.
    """
    rows = []
    for label, unit, name, of, estimate in _SCALARS:
        if name not in predicted:
            continue
        flags = (w.flag for w in prediction.warnings_for(of) if w.properties)
        interval = ""
        if estimate and of in prediction.uncertainty:
            low, high = prediction.uncertainty[of].scalars[estimate].bounds[0.9]
            interval = f"{number(low)} to {number(high)}"
        rows.append(
            ScalarRow(
                label,
                f"{number(predicted[name])} {unit}".strip(),
                interval,
                standing(predicted[name], training.get(name)),
                f"{number(reference[name])} {unit}".strip() if name in reference else "",
                tuple(flag.replace("_", " ") for flag in flags),
            )
        )
    return rows


def principal_indices(permittivity: np.ndarray) -> str:
    """The three principal refractive indices of eps_inf (3, 3), as text."""
    return ", ".join(fixed(index, 3) for index in refractive_indices(permittivity))


def first_principles(seen: list[TrainingCrystal]) -> dict[str, float]:
    """`scalars` of the training crystals with the same structure; the first of several counts."""
    found: dict[str, float] = {}
    for one in seen:
        if one.same_structure:
            found = scalars(one.tensors, one.atoms) | found
    return found
