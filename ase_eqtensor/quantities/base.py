"""What a quantity is: a tensor of a crystal, declared once for all that deals with tensors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from ase import Atoms

from ..tensors.comparison import relative_errors
from ..tensors.forms import Form


class Density(NamedTuple):
    """Densities of B crystals, for scalars that a tensor alone does not decide.

    mass: (B,) in amu/Å^3. number: (B,) atoms per Å^3.
    """

    mass: np.ndarray
    number: np.ndarray

    @classmethod
    def of(cls, crystals: Sequence[Atoms]) -> "Density":
        """Those of ASE atoms with a cell."""
        volume = np.array([atoms.get_volume() for atoms in crystals])
        mass = np.array([atoms.get_masses().sum() for atoms in crystals])
        return cls(mass / volume, np.array([len(atoms) for atoms in crystals]) / volume)


# Key beside the heads' arrays: projectors (B, 3, 3) on the directions in which polar modes point.
POLAR = "polar directions"


@dataclass(frozen=True, eq=False)
class Scalar:
    """A number that follows from a tensor, invariant under rotations.

    name: in files, database keys, CSV, JSON and model cards, with its unit where it has one.
    label: for people, "Bulk modulus K".
    symbol: heading of a narrow column, "K".
    unit: of the value, "GPa"; "" for a pure number.
    of: (arrays (B, *form.shape) in the network's form, or what `Quantity.scalars_from` makes of
        them; densities) to values (B,).
    least: smallest possible value, above which error intervals are multiplicative; None where no
        interval is made of it.
    headline: whether it is among the few that a table has room for.
    above: share of the misses of the widest error interval that lie above it.
    large: value above which it is hard to predict.
    """

    name: str
    label: str
    symbol: str
    unit: str
    of: Callable[[Any, Density], np.ndarray]
    least: float | None = None
    headline: bool = False
    above: float = 0.5
    large: float | None = None

    @property
    def heading(self) -> str:
        """Symbol and unit: "K, GPa"."""
        return f"{self.symbol}, {self.unit}" if self.unit else self.symbol


@dataclass(frozen=True, eq=False)
class Head:
    """What the network says before it becomes a tensor, as an array of a form.

    name: in weights and model cards.
    form: of the array.
    of: tensors of a crystal by quantity, in the network's form, to the head's array (its
        exponential, if it is a logarithm); None where they do not tell. The inverse of
        `Quantity.from_heads`, by which training finds references.
    logarithm: whether the array is the logarithm of a positive definite tensor.
    density: whether the tensor is a cell's energy, dipole or polarisability divided by its volume;
        the network predicts it per atom.
    distance_power, contrast_power: of the distance between neighbours and of the share of unlike
        ones, with which a density goes roughly (network/scaling.py).
    floor: eigenvalues of training data below it are noise; keeps the logarithm of zero finite.
    """

    name: str
    form: Form
    of: Callable[[Mapping[str, np.ndarray]], np.ndarray | None]
    logarithm: bool = True
    density: bool = False
    distance_power: float = 0.0
    contrast_power: float = 0.0
    floor: float = 0.0


@dataclass(frozen=True, eq=False)
class Series:
    """Several numbers that follow from a tensor, such as its principal values.

    label: for people. decimals: of printed values.
    of: the user's array (*shape) to values (k,), ascending.
    """

    label: str
    decimals: int
    of: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Surface:
    """A quantity as a function of direction, to be drawn over the sphere.

    key: of the picture. title, unit: of the picture.
    sheets: names of the k functions that share it.
    of: the user's array (*shape) and unit vectors (..., 3) to the values (..., k) of the sheets.
    caption: what is drawn.
    ellipsoid: draw T n instead of the value along n.
    """

    key: str
    title: str
    unit: str
    sheets: tuple[str, ...]
    of: Callable[[np.ndarray, np.ndarray], np.ndarray]
    caption: str
    ellipsoid: bool = False


@dataclass(frozen=True)
class Display:
    """How people see a tensor.

    title: heading, "Stiffness C". short: in tables of figures, "stiffness". symbol: of its entries,
        "C".
    unit, scale, decimals: of printed entries; `scale` takes the user's unit to the printed one.
    section: heading under which a report has it, together with others of the same section.
    note: a sentence on frame, order and meaning, for that section.
    ieee: whether people expect it in the axes of IEEE Standard 176-1987, too.
    entry, suffix: before and after the indices in names of printed entries, "c" and "gpa" of
        c11_gpa; `suffix` states the unit, and is empty where there is none.
    noun: what it is called within a sentence; by default the title.
    """

    title: str
    short: str
    symbol: str
    unit: str
    scale: float
    decimals: int
    section: str
    note: str = ""
    ieee: bool = False
    entry: str = ""
    suffix: str = ""
    noun: str = ""


@dataclass(frozen=True, eq=False)
class Quantity:
    """A tensor of a crystal.

    name: property name in ASE, and the key of everything that is kept by quantity.
    meaning: one line for people. unit: of the user's array.
    form: of the network's array. shape: of the user's array.
    heads: what the network predicts for it.
    from_heads: arrays (B, *head.form.shape) by head, of a logarithm its exponential, and projectors
        (B, 3, 3) under `POLAR` where they are known, to arrays (B, *form.shape) (torch).
    to_ase, from_ase: network's array (..., *form.shape) to the user's (..., *shape), and back
        (numpy); the user's is in the Cartesian frame of the atoms.
    display: how people see it.
    scalars: numbers that follow from it. scalars_from: what they have in common, computed once of
        arrays (B, *form.shape); by default the arrays.
    series: several numbers each.
    surfaces: pictures of it.
    least_eigenvalue: which no eigenvalue of the network's array can fall below in a stable crystal;
        None if there is no such bound.
    insulators_only: whether metals have no such tensor.
    may_soften: whether a soft vibration makes it larger without limit.
    inverse_of: the quantity that it is the inverse of. It is then not trained, stored or counted
        for itself, and `from_heads` gets the inverses of what the heads, all logarithms, say.
    file_key: name under which files keep it, which states the unit; by default `name`.
    offered: whether the calculator offers it; one that is not is only trained and scored.
    """

    name: str
    meaning: str
    unit: str
    form: Form
    heads: tuple[Head, ...]
    from_heads: Callable[[Mapping[str, torch.Tensor]], torch.Tensor]
    display: Display
    to_ase: Callable[[np.ndarray], np.ndarray] = np.asarray
    from_ase: Callable[[np.ndarray], np.ndarray] = np.asarray
    scalars: tuple[Scalar, ...] = ()
    scalars_from: Callable[[np.ndarray], Any] = np.asarray
    series: tuple[Series, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    least_eigenvalue: float | None = None
    insulators_only: bool = False
    may_soften: bool = False
    inverse_of: "Quantity | None" = None
    file_key: str = ""
    offered: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        return self.form.shape

    @property
    def key(self) -> str:
        return self.file_key or self.name

    @property
    def printed_key(self) -> str:
        """Name of the array in the unit that people expect: elasticity_tensor_gpa."""
        return "_".join(filter(None, (self.name, self.display.suffix)))

    @property
    def entries(self) -> dict[str, tuple[int, ...]]:
        """Name of each independent entry of the printed array -> its indices: c11_gpa -> (0, 0),
        eps_inf_xy -> (0, 1). Of symmetric arrays, which all square ones are, the upper triangle."""
        axes = "xyz" if self.shape == (3, 3) else "123456"
        square = len(self.shape) == 2 and self.shape[0] == self.shape[1]
        start = self.display.entry or f"{self.stem}_"
        names = {}
        for indices in np.ndindex(self.shape):
            if not square or indices[0] <= indices[1]:
                name = start + "".join(axes[i] for i in indices)
                names["_".join(filter(None, (name, self.display.suffix)))] = indices
        return names

    def printed(self, tensor: np.ndarray) -> np.ndarray:
        """The user's array (*shape) in the unit that people expect."""
        return np.asarray(tensor) * self.display.scale

    @property
    def stem(self) -> str:
        """The name without "_tensor", for keys such as elasticity_error_90."""
        return self.name.removesuffix("_tensor")

    @property
    def noun(self) -> str:
        """What it is called within a sentence."""
        return self.display.noun or self.display.title

    @property
    def trained_on(self) -> str:
        """Name of the quantity whose training data decide about this one."""
        return self.inverse_of.name if self.inverse_of else self.name

    def rotate(self, tensor: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """The user's array (..., *shape) of the crystal rotated by the orthogonal R (..., 3, 3)."""
        return self.to_ase(self.form.rotate(self.from_ase(tensor), rotation))

    def project(self, tensor: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Average of the user's array (*shape) over a point group (G, 3, 3)."""
        return self.rotate(tensor, group).mean(axis=0)

    def relative_error(self, predicted: np.ndarray, true: np.ndarray) -> float:
        """|P - T| / |T| of the user's arrays (*shape), Frobenius norms of the full tensors."""
        both = self.from_ase(np.stack([predicted, true]))
        return float(relative_errors(both[:1], both[1:])[0])

    def scaled(self, arrays: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Network's arrays (B, n, n), whose distance from the least possible one is multiplied by
        `factor` (B,)."""
        least = (self.least_eigenvalue or 0.0) * np.eye(arrays.shape[-1])
        return least + factor[:, None, None] * (arrays - least)

    def large(self, arrays: np.ndarray) -> np.ndarray:
        """Whether a scalar of the network's arrays (B, *form.shape) is hard to predict, (B,)."""
        limits = {s.name: s.large for s in self.scalars if s.large is not None}
        ones = np.ones(len(arrays))
        values = self.scalar_values(arrays, Density(ones, ones)) if limits else {}
        above = [values[name] > limit for name, limit in limits.items()]
        return np.any(above, axis=0) if above else np.zeros(len(arrays), dtype=bool)

    def scalar_values(self, arrays: np.ndarray, density: Density) -> dict[str, np.ndarray]:
        """Name of each scalar -> values (B,), of the network's arrays (B, *form.shape); NaN where
        there is no such number."""
        finite = np.isfinite(arrays).all(axis=tuple(range(1, arrays.ndim)))
        good = Density(density.mass[finite], density.number[finite])
        common, values = self.scalars_from(arrays[finite]), {}
        with np.errstate(divide="ignore", invalid="ignore"):  # NaN: there is no such number
            for scalar in self.scalars:
                values[scalar.name] = np.full(len(arrays), np.nan)
                values[scalar.name][finite] = scalar.of(common, good)
        return values
