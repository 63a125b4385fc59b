"""What a tensor as written may stand for: right, or one of the known mistakes, undone.

Every reading is the tensor as it would have to be written. How likely a mistake is beforehand, in
units of a tensor without one, is a judgement: names of units, orders and frames that files and
programs use come before axes that nobody names.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from ..quantities import Quantity
from ..quantities.permittivity import ELECTRONIC, TOTAL
from ..quantities.piezoelectric import PIEZOELECTRIC
from ..quantities.stiffness import COMPLIANCE, STIFFNESS
from ..tensors.electromechanical import C_PER_M2, PM_PER_V
from ..tensors.notation import GPA
from .frames import Frame

# causes
FINE, FRAME, ORDER, UNIT = "as written", "frame", "Voigt order", "unit"
IONS, TRANSPOSED, CONVENTION = "ions", "transposed", "convention"

COMMON, USUAL, RARE, UNNAMED = 5e-2, 2e-2, 4e-3, 2e-4
OMITTED = 8e-2  # programs write the ionic part apart

ORDERS = {  # Voigt indices of ours, xx yy zz yz xz xy, in the order of the file
    "xx yy zz xy yz xz, as VASP has it": (0, 1, 2, 5, 3, 4),
    "xx yy zz xy xz yz, as Abaqus and LAMMPS have it": (0, 1, 2, 5, 4, 3),
    "xx xy xz yy yz zz": (0, 5, 4, 1, 3, 2),
}
SHEAR = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


@dataclass(frozen=True, eq=False)
class Reading:
    """One thing that a tensor may stand for.

    cause: FINE, or which kind of mistake was made. explanation: the mistake in words, "kbar taken
    for GPa".
    tensor: as it has to be written, the user's array (*shape); None where the mistake cannot be
        undone. assumed: the array that the model's expectation is held against.
    weight: how likely beforehand.
    expected: name of the quantity that it is.
    """

    cause: str
    explanation: str
    tensor: np.ndarray | None
    assumed: np.ndarray
    weight: float
    expected: str


Undo = tuple[str, str, float, Callable[[np.ndarray], np.ndarray]]  # cause, words, weight, how


def readings(
    quantity: Quantity,
    written: np.ndarray,
    frames: Sequence[Frame] = (),
    turned: Sequence[Frame] = (),
    stiffness: np.ndarray | None = None,
) -> list[Reading]:
    """All that a tensor may stand for, as written first.

    Args:
        quantity: what it is said to be.
        written: (*shape) of the quantity, in its unit.
        frames, turned: of the crystal, see `named_frames` and `turned_axes`.
        stiffness: (6, 6) in eV/Å^3 of the crystal, for what needs one; None if it is not known.
    """
    name = quantity.name
    found = [Reading(FINE, FINE, written, written, 1.0, name)]
    undone = [
        *_of_frames(quantity, frames, turned),
        *_of_orders(quantity),
        *_of_conventions(quantity, stiffness),
    ]
    units = [*_units(quantity)]
    for cause, words, weight, undo in undone:
        tensor = undo(written)
        if np.isfinite(tensor).all():
            found.append(Reading(cause, words, tensor, tensor, weight, name))
    for other in [reading for reading in found[1:] if reading.weight > UNNAMED]:
        for _, words, weight, undo in units:
            told = f"{words}, and {other.explanation}"
            tensor = undo(other.assumed)
            found.append(
                Reading(f"{UNIT}, {other.cause}", told, tensor, tensor, weight * other.weight, name)
            )
    for cause, words, weight, undo in units:
        tensor = undo(written)
        found.append(Reading(cause, words, tensor, tensor, weight, name))
    return found + _of_ions(quantity, written)


def _of_frames(
    quantity: Quantity, frames: Sequence[Frame], turned: Sequence[Frame]
) -> Iterator[Undo]:
    def by(rotation: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda tensor: quantity.rotate(tensor, rotation)

    for name, matrix in frames:
        back = matrix.T
        yield FRAME, f"written in the frame of {name}", USUAL, by(back)
        yield TRANSPOSED, f"rotated by the transpose, towards {name}", RARE, by(matrix)
        twice = f"written in the frame of {name} and rotated once more instead of back"
        yield TRANSPOSED, twice, RARE, by(back @ back)
    for name, matrix in turned:
        yield FRAME, f"written with other axes: {name}", UNNAMED, by(matrix.T)


def _of_orders(quantity: Quantity) -> Iterator[Undo]:
    for words, order in ORDERS.items():
        yield ORDER, f"order {words}", USUAL, _reordered(quantity, order)
    for shear in permutations((3, 4, 5)):
        other = (0, 1, 2, *shear)
        if shear != (3, 4, 5) and other not in ORDERS.values():
            names = " ".join(("yz", "xz", "xy")[i - 3] for i in shear)
            yield ORDER, f"order xx yy zz {names}", RARE, _reordered(quantity, other)


def _reordered(quantity: Quantity, order: Sequence[int]) -> Callable[[np.ndarray], np.ndarray]:
    """Puts entries in the order of a file where ours belong."""
    place = np.argsort(order)
    rows, columns = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])

    def reordered(tensor: np.ndarray) -> np.ndarray:
        if quantity.shape == (3, 3):
            new = np.array(tensor)
            new[rows, columns] = new[columns, rows] = tensor[rows, columns][place]
            return new
        new = tensor[:, place]
        return new[place] if quantity.shape == (6, 6) else new

    return reordered


def _times(factor: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda tensor: tensor * factor


def _units(quantity: Quantity) -> Iterator[Undo]:
    """Factors by which a tensor is wrong when its unit is."""
    factors: dict[str, tuple[float, float]] = {}
    if quantity is STIFFNESS:
        factors = {
            "kbar taken for GPa": (0.1, USUAL),
            "GPa taken for kbar": (10.0, RARE),
            "GPa taken for eV/Å^3": (GPA, USUAL),
            "eV/Å^3 taken for GPa": (1 / GPA, USUAL),
            "kbar taken for eV/Å^3": (0.1 * GPA, RARE),
            "Mbar taken for GPa": (100.0, RARE),
            "MPa taken for GPa": (1e-3, RARE),
            "Pa taken for GPa": (1e-9, RARE),
            "Ha/Bohr^3 taken for GPa": (29421.0, RARE),
        }
    elif quantity is PIEZOELECTRIC:
        factors = {
            "C/m^2 taken for e/Å^2": (1 / C_PER_M2, COMMON),
            "e/Å^2 taken for C/m^2": (C_PER_M2, RARE),
            "μC/cm^2 taken for C/m^2": (0.01, UNNAMED),
            "C/m^2 taken for μC/cm^2": (100.0, UNNAMED),
        }
    for words, (factor, weight) in factors.items():
        yield UNIT, words, weight, _times(factor)


def _of_conventions(quantity: Quantity, stiffness: np.ndarray | None) -> Iterator[Undo]:
    if quantity is STIFFNESS:
        mandel = quantity.from_ase(np.ones((6, 6)))
        yield CONVENTION, "Mandel form taken for Voigt form", RARE, lambda c: c / mandel
        doubled = "stress by shear strain that is not doubled"
        yield CONVENTION, doubled, RARE, lambda c: c / SHEAR
        for words, unit in (("1/TPa", 1e-3), ("1/GPa", 1.0), ("Å^3/eV", 1 / GPA)):
            yield CONVENTION, f"a compliance in {words}", RARE, _inverse(unit)
    elif quantity is PIEZOELECTRIC:
        yield CONVENTION, "the opposite sign", UNNAMED, _times(-1.0)
        columns = "its 18 numbers column after column"
        yield TRANSPOSED, columns, USUAL, lambda e: e.ravel().reshape(6, 3).T
        doubled = "polarisation by shear strain that is not doubled"
        yield CONVENTION, doubled, RARE, lambda e: e / SHEAR
        if stiffness is not None:
            c = stiffness
            d = "the strain tensor d in pm/V (times the stiffness, it is e)"
            yield CONVENTION, d, UNNAMED, lambda e: e * C_PER_M2 / PM_PER_V @ c
    else:
        yield CONVENTION, "a susceptibility", UNNAMED, lambda eps: eps + np.eye(3)
        yield CONVENTION, "refractive indices", UNNAMED, lambda n: n @ n


def _inverse(unit: float) -> Callable[[np.ndarray], np.ndarray]:
    """Of a compliance whose numbers, in this unit times 1/GPa, were taken for a stiffness in GPa,
    the stiffness."""

    def inverse(written: np.ndarray) -> np.ndarray:
        compliance = COMPLIANCE.from_ase(written / GPA * unit)
        if abs(np.linalg.det(compliance)) < 1e-300:
            return np.full((6, 6), np.nan)
        return STIFFNESS.to_ase(np.linalg.inv(compliance)) * GPA

    return inverse


def _of_ions(quantity: Quantity, written: np.ndarray) -> list[Reading]:
    """One permittivity for the other: nothing in the file says what the other would be."""
    words = {
        TOTAL.name: (ELECTRONIC.name, "eps_inf, without the ionic part", OMITTED),
        ELECTRONIC.name: (TOTAL.name, "the total permittivity, with the ionic part", RARE),
    }
    if quantity.name not in words:
        return []
    other, told, weight = words[quantity.name]
    return [Reading(IONS, told, None, written, weight, other)]
