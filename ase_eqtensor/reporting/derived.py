"""What follows from the tensors of a crystal, as tables: mechanics and sound, light,
electromechanics."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ..analysis import elastic_summary, greatest_d, sound_waves
from ..models.uncertainty import LEVELS
from ..quantities.numbers import direction, fixed, number, span, with_unit
from ..quantities.permittivity import ELECTRONIC, TOTAL
from ..quantities.piezoelectric import PIEZOELECTRIC
from ..quantities.stiffness import STIFFNESS
from ..tensors.electromechanical import PM_PER_V, Electromechanical
from ..tensors.optics import Optics, wave_indices
from .figures import extremes, sphere
from .subject import Subject

XYZ = dict(zip("xyz", np.eye(3)))
NOTHING = 1e-9  # pm/V, rounding noise of what symmetry forbids
UNIAXIAL = 0.01  # degrees between optic axes that are one up to rounding


class Row(NamedTuple):
    """A line of a table: what, its value, and its 90 % interval, "" where there is none."""

    label: str
    value: str
    interval: str = ""


class Grid(NamedTuple):
    """A table with columns of its own: headings, and rows each with its label."""

    caption: str
    headings: tuple[str, ...]
    rows: Mapping[str, list[str]]


@dataclass(frozen=True)
class Derived:
    """A group of numbers. names: of the tensors that they follow from."""

    key: str
    title: str
    note: str
    names: tuple[str, ...]
    rows: list[Row]
    grids: list[Grid] = field(default_factory=list)

    @property
    def bounded(self) -> bool:
        """Whether a row has an interval."""
        return any(row.interval for row in self.rows)


def derived(subject: Subject) -> list[Derived]:
    """All that can be said of the crystal, as far as its tensors are there."""
    return [group for group in (_sound(subject), _light(subject), _fields(subject)) if group]


_SUMMARY = (
    ("k_reuss_gpa", "k_voigt_gpa", "Bulk modulus, Reuss and Voigt bound", "GPa"),
    ("g_reuss_gpa", "g_voigt_gpa", "Shear modulus, Reuss and Voigt bound", "GPa"),
    ("pugh", "", "K/G, above 1.75 of ductile metals (Pugh)", ""),
    ("zener", "", "Zener ratio 2 C44 / (C11 − C12)", ""),
    ("cauchy_pressure_gpa", "", "Cauchy pressure C12 − C44", "GPa"),
    ("longitudinal_km_per_s", "", "Longitudinal sound in the polycrystal", "km/s"),
    ("transverse_km_per_s", "", "Transverse sound in the polycrystal", "km/s"),
    ("hardness_gpa", "", "Vickers hardness (Chen)", "GPa"),
    ("clarke_w_per_mk", "", "Least thermal conductivity (Clarke)", "W/(m K)"),
    ("cahill_w_per_mk", "", "Least thermal conductivity (Cahill)", "W/(m K)"),
)


def _sound(subject: Subject) -> Derived | None:
    stiffness = subject.prediction.tensors.get(STIFFNESS.name)
    if stiffness is None:
        return None
    summary = elastic_summary(stiffness, subject.atoms)
    rows = []
    for name, upper, label, unit in _SUMMARY:
        if np.isfinite(summary[name]):
            value = with_unit(summary[name], "" if upper else unit)
            rows.append(
                Row(label, f"{value} and {with_unit(summary[upper], unit)}" if upper else value)
            )
    along = sound_waves(stiffness, subject.atoms, np.array(list(XYZ.values()))).phase
    waves = {f"along {axis}": [number(v) for v in values] for axis, values in zip(XYZ, along)}

    def velocities(directions: np.ndarray) -> np.ndarray:
        found = sound_waves(stiffness, subject.atoms, directions.reshape(-1, 3)).phase
        return found.reshape(directions.shape)

    ends = extremes(velocities, sphere(), velocities(sphere()))
    for i, label in enumerate(("least", "greatest")):
        waves[f"{label} of all directions"] = [number(both[i][0]) for both in ends]
    grid = Grid(
        "Phase velocity of sound, km/s",
        ("slow transverse", "fast transverse", "longitudinal"),
        waves,
    )
    note = (
        "Models of other properties by the moduli alone; least conductivities are those of high "
        "temperature. Waves in the crystal are those without the field that they make in a "
        "piezoelectric one."
    )
    return Derived("sound", "Mechanics and sound", note, (STIFFNESS.name,), rows, [grid])


def _light(subject: Subject) -> Derived | None:
    permittivity = subject.prediction.tensors.get(ELECTRONIC.name)
    if permittivity is None:
        return None
    optics = Optics.of(permittivity)
    note = (
        "Light far below the band gap and above the lattice vibrations, without absorption. "
        "The mean index, with its interval, and the birefringence are in the table above."
    )
    group = Derived("light", "Light", note, (ELECTRONIC.name,), _character(optics))
    if optics.sign == 0:
        return group
    rows = [
        Row(f"Principal index {label}, field along {direction(axis)}", fixed(index, 3))
        for label, index, axis in zip(("n₁", "n₂", "n₃"), optics.indices, optics.axes)
    ]
    waves = {
        f"along {axis}": [fixed(fast, 3), fixed(slow, 3), fixed(slow - fast, 3)]
        for axis, (fast, slow) in zip(XYZ, wave_indices(permittivity, np.array(list(XYZ.values()))))
    }
    grid = Grid("Index of the two waves", ("faster", "slower", "difference"), waves)
    return replace(group, rows=[*rows, *group.rows], grids=[grid])


def _character(optics: Optics) -> list[Row]:
    if optics.sign == 0:
        reflected = f"{100 * optics.reflectivity[0]:.1f} %"
        return [
            Row("Refractive index", fixed(optics.indices[0], 3)),
            Row("Optic character", "isotropic"),
            Row("Reflectivity at normal incidence", reflected),
        ]
    reflected = ", ".join(f"{100 * r:.1f} %" for r in optics.reflectivity)
    reflectivity = Row("Reflectivity at normal incidence, along the principal axes", reflected)
    sign = "positive" if optics.sign > 0 else "negative"
    one, other = optics.optic_axes
    if optics.two_v < UNIAXIAL:
        return [
            Row("Optic character", f"uniaxial, {sign}"),
            Row("Optic axis", direction(one)),
            reflectivity,
        ]
    return [
        Row("Optic character", f"biaxial, {sign}"),
        Row("Optic axes", f"{direction(one)}, {direction(other)}"),
        Row("Angle 2V between them", f"{fixed(float(optics.two_v), 1)}°"),
        reflectivity,
    ]


def _fields(subject: Subject) -> Derived | None:
    names, tensors = (STIFFNESS.name, PIEZOELECTRIC.name, TOTAL.name), subject.prediction.tensors
    if any(name not in tensors for name in names) or not tensors[PIEZOELECTRIC.name].any():
        return None
    response = Electromechanical(*(tensors[name] for name in names))
    with warnings.catch_warnings():  # the page tells them
        warnings.simplefilter("ignore")
        d = greatest_d(subject.prediction)
    bounds = d.bounds.get(max(LEVELS))
    free = np.trace(response.permittivity_at_stress) / 3
    rows = [
        Row("Greatest longitudinal d", with_unit(d.value, "pm/V"), span(bounds)),
        Row("Greatest coupling factor", number(float(response.greatest_coupling))),
        Row("ε total of the free crystal, trace / 3", number(free)),
        *_couplings(subject),
    ]
    entries = {
        axis: ["·" if abs(x) < NOTHING else fixed(x, 2) for x in row]
        for axis, row in zip(XYZ, response.d * PM_PER_V)
    }
    voigt = ("1 xx", "2 yy", "3 zz", "4 yz", "5 xz", "6 xy")
    grid = Grid("Strain constants d, pm/V", voigt, entries)
    note = (
        "d = e S, strain by field at constant stress, engineering shear, Voigt order, in the "
        "Cartesian frame of the given file; also the charge by stress in pC/N. Coupling factors "
        "are those of simple modes in IEEE axes."
    )
    return Derived("fields", "Electromechanics", note, names, rows, [grid])


def _couplings(subject: Subject) -> Iterator[Row]:
    """Those of simple modes in IEEE axes, as far as these are known."""
    if subject.ieee is None:
        return
    tensors = subject.prediction.tensors
    turned = Electromechanical(
        *(q.rotate(tensors[q.name], subject.ieee) for q in (STIFFNESS, PIEZOELECTRIC, TOTAL))
    )
    for name, value in turned.coupling.items():
        if np.isfinite(value) and value >= 5e-4:
            yield Row(f"Coupling factor {name}", number(float(value)))
