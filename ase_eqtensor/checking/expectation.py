"""How well an array fits what a crystal's point group and the model expect.

An array of the network's form, less the least possible one (a susceptibility of a permittivity),
has three parts: what breaks the point group or the symmetry of its indices, the size of the rest,
and the shape of the rest, which is an array of norm one. Each has a distance from what is expected,
the last two in units of the error to expect, and each distance a distribution with tails
(Student's t), fitted to first-principles tensors that the networks had not seen
(studies/check_errors.py).
"""

from dataclasses import dataclass
from math import exp, lgamma, log, pi
from typing import NamedTuple

import numpy as np

from ..prediction.prediction import Prediction
from ..quantities import Quantity
from ..quantities.permittivity import ELECTRONIC, TOTAL
from ..quantities.piezoelectric import PIEZOELECTRIC
from ..quantities.stiffness import STIFFNESS
from ..tensors.electromechanical import C_PER_M2
from ..tensors.forms import ROUNDING

TYPICAL = 0.5  # level of the error to expect
NOISE = 0.01  # relative; what first-principles tensors break their point group by
NOISE_TAIL = 2.0  # degrees of freedom of its distribution
MOST = 8  # forbidden components that count; those of one mistake go together
UNSTABLE = 8.0  # by which an array below the least possible one is less likely, as a logarithm
LEAST = 0.02 / C_PER_M2  # e/Å^2; a smaller piezoelectric tensor is noise
DIGITS = (0, 1, 2, 3)  # after the point, to which files round


class Errors(NamedTuple):
    """Distributions of the distances from an expectation, in units of the error to expect.

    centre: most likely logarithm of the ratio of norms; low, low_tail, high, high_tail: scale and
        degrees of freedom below and above it. Soft modes and small gaps make permittivities larger
        than expected, and hardly anything makes them smaller.
    shape, shape_tail: of the distance of shapes; each of d free components has a scale that is
        smaller by the root of d.
    """

    centre: float
    low: float
    low_tail: float
    high: float
    high_tail: float
    shape: float
    shape_tail: float

    def of_size(self, size: np.ndarray) -> np.ndarray:
        """Logarithm of the density at logarithms of ratios (n,)."""
        away = size - self.centre
        below = _student(away / self.low, self.low_tail, 1)
        above = _student(away / self.high, self.high_tail, 1)
        whole = self.low / exp(_peak(self.low_tail, 1)) + self.high / exp(_peak(self.high_tail, 1))
        return np.where(away < 0, below, above) - log(whole / 2)

    def of_shape(self, shape: np.ndarray, free: int) -> np.ndarray:
        """Logarithm of the density at distances (n,) of shapes of `free` components."""
        scale, tail = self.shape / free**0.5, self.shape_tail
        return _student(shape / scale, tail, free) + _peak(tail, free) - free * log(scale)


def _student(distance: np.ndarray, tail: float, dimension: int) -> np.ndarray:
    """Logarithm of Student's t in some dimensions, at a distance from its peak, over that there."""
    return -(tail + dimension) / 2 * np.log1p(distance**2 / tail)


def _peak(tail: float, dimension: int) -> float:
    """Logarithm of the density at the peak, for a scale of one."""
    gammas = lgamma((tail + dimension) / 2) - lgamma(tail / 2)
    return gammas - dimension / 2 * log(tail * pi)


# as fitted, with tails that are no lighter than those of eight degrees of freedom
ERRORS = {
    STIFFNESS.name: Errors(0.21, 0.59, 5.1, 0.53, 8.0, 0.82, 4.4),
    ELECTRONIC.name: Errors(-0.50, 0.74, 5.3, 1.41, 2.0, 0.33, 2.0),
    TOTAL.name: Errors(-0.65, 0.56, 2.5, 1.83, 3.5, 0.36, 1.9),
    PIEZOELECTRIC.name: Errors(0.13, 0.73, 7.7, 1.04, 3.2, 0.64, 1.7),
}


class Fit(NamedTuple):
    """How n arrays fit, each (n,).

    logarithm: of the likelihood, up to a constant of the written tensor.
    broken: relative part that breaks the symmetry.
    least: least eigenvalue less the least possible one, in the unit of the array; NaN of a tensor
        without one.
    """

    logarithm: np.ndarray
    broken: np.ndarray
    least: np.ndarray


@dataclass(frozen=True, eq=False)
class Expectation:
    """Of one tensor of one crystal.

    quantity: what is expected. array: (*form.shape), less the least possible one; None where the
        model says nothing, and the point group alone decides.
    error: relative error of the tensor to expect.
    projector: (n, n) on what the point group allows, of irreps components.
    """

    quantity: Quantity
    array: np.ndarray | None
    error: float
    projector: np.ndarray

    @classmethod
    def of(
        cls, quantity: Quantity, prediction: Prediction | None, group: np.ndarray
    ) -> "Expectation":
        """That of a prediction; `group` (G, 3, 3) is the point group in the frame of the atoms."""
        form = quantity.form
        basis = form.basis().numpy()
        turned = form.rotate(basis[:, None], group).mean(axis=1)
        projector = form.components(turned)
        estimate = prediction and prediction.uncertainty.get(quantity.name)
        if prediction is None or not estimate or quantity.name not in prediction.tensors:
            return cls(quantity, None, 1.0, projector)
        array = quantity.from_ase(prediction.tensors[quantity.name])
        core = array - least_array(quantity)
        # the error of the whole tensor, as one of what is left without the least possible one
        size = max(float(np.linalg.norm(core)), 1e-9)
        error = estimate.relative_error[TYPICAL] * float(np.linalg.norm(array)) / size
        return cls(quantity, core, min(max(error, 0.01), 1.0), projector)

    @property
    def free(self) -> int:
        """Number of components that the point group leaves."""
        return round(float(np.trace(self.projector)))

    def allowed(self, arrays: np.ndarray) -> np.ndarray:
        """Projection (n, *form.shape) of arrays on what the point group allows."""
        form = self.quantity.form
        average = form.array(form.components(arrays) @ self.projector)
        rounding = ROUNDING * np.abs(arrays).max(axis=(1, 2), keepdims=True)
        return np.where(np.abs(average) < rounding, 0.0, average)

    def fit(self, arrays: np.ndarray) -> Fit:
        """How arrays (n, *form.shape) fit."""
        quantity, count = self.quantity, len(arrays)
        allowed = self.allowed(arrays)
        norm = np.maximum(_norms(arrays), 1e-30)
        away = _norms(arrays - allowed)
        small = LEAST if quantity is PIEZOELECTRIC else 0.0
        broken = np.where(away > small, away / norm, 0.0)
        noise = np.hypot(NOISE, _rounding(quantity, arrays) / norm[0])
        forbidden = min(len(self.projector) - self.free, MOST) + 1  # and asymmetric indices
        logarithm = _student(broken / noise, NOISE_TAIL, forbidden)
        core = allowed - least_array(quantity)
        least = np.full(count, np.nan)
        if quantity.least_eigenvalue is not None:
            least = np.linalg.eigvalsh(core)[:, 0]
            logarithm = logarithm - UNSTABLE * (least < -0.02 * _norms(core))
        if self.array is not None and self.array.any():
            known, directions = ERRORS[quantity.name], self.free - 1
            size, shape = self.distances(core)
            logarithm = logarithm + known.of_size(size) - log(self.error)
            if directions:
                logarithm += known.of_shape(shape, directions) - directions * log(self.error)
        return Fit(logarithm, broken, least)

    def distances(self, core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of ratios of norms (n,) and distances of shapes (n,) from what is expected, in
        units of the error to expect, of arrays (n, *form.shape) less the least possible one."""
        assert self.array is not None
        sizes, own = np.maximum(_norms(core), 1e-30), float(np.linalg.norm(self.array))
        shape = _norms(core / sizes[:, None, None] - self.array / own) / self.error
        return np.log(sizes / own) / self.error, shape


def least_array(quantity: Quantity) -> np.ndarray:
    """The least possible array (*form.shape)."""
    if not quantity.least_eigenvalue:
        return np.zeros(quantity.shape)
    return quantity.least_eigenvalue * np.eye(quantity.shape[0])


def _norms(arrays: np.ndarray) -> np.ndarray:
    """Frobenius norms (n,) of arrays (n, a, b)."""
    return np.linalg.norm(arrays, axis=(1, 2))


def _rounding(quantity: Quantity, arrays: np.ndarray) -> float:
    """What rounding may add to the norm of the first array: that of entries all of which have the
    same few digits after the point, in the unit in which people write them."""
    numbers = quantity.to_ase(arrays[0]) * quantity.display.scale
    for digits in DIGITS:
        if np.abs(numbers - numbers.round(digits)).max() < 1e-6:
            step = 10.0**-digits / 12**0.5
            return step * numbers.size**0.5 / quantity.display.scale
    return 0.0
