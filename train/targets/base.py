"""What a target is: something that crystals are trained on and scored by, declared once.

A target says how its value is read from a crystal's record, compared with what the network
predicts, weighed in the loss and scored. A data set says which columns its rows have, how they are
checked, and which targets they teach.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ase_eqtensor.models.card import DISTANCE
from ase_eqtensor.models.uncertainty import RELATIVE
from ase_eqtensor.quantities import Density, Quantity
from ase_eqtensor.tensors.comparison import relative_errors, relative_loss
from ase_eqtensor.tensors.forms import Form
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import metrics

Columns = Mapping[str, np.ndarray | float]  # of a record, in the units of the database


@dataclass(frozen=True, eq=False)
class Target(ABC):
    """Something that crystals are trained on and scored by.

    quantity: that it teaches.
    weight: of its loss in the sum of losses, unless a recipe says otherwise.
    compared: the figures that are also given for the trivial answer.
    """

    quantity: Quantity
    weight: float = 1.0
    compared: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """In recipes, logs, figures and cards: that of its quantity, unless several teach one."""
        return self.quantity.name

    @abstractmethod
    def value(self, columns: Columns) -> np.ndarray | None:
        """The array (...) to be learnt, of a record's columns; None where they do not have it.
        Subclasses say its shape."""

    @abstractmethod
    def predicted(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """What is to be compared with values (B, ...), of the network's outputs: quantity ->
        (B, *form.shape) (torch)."""

    def meant(self, values: np.ndarray, predicted: np.ndarray | None = None) -> np.ndarray:
        """What is true, of the shape of predictions (n, ...), where values (n, ...) leave it open:
        what is nearest to the predicted ones, or else likeliest."""
        return values

    @abstractmethod
    def errors(self, predicted: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Error of each crystal (n,), of the kind that the validation score is made of, from
        predicted and true values (n, ...) (torch)."""

    def loss(self, predicted: torch.Tensor, value: torch.Tensor, anisotropy: float) -> torch.Tensor:
        """Mean loss () of n crystals, from predicted and true values (n, ...) (torch);
        `anisotropy` weighs the directions of tensors."""
        return self.errors(predicted, value).mean()

    def deviations(
        self, predicted: np.ndarray, true: np.ndarray, density: Density
    ) -> dict[str, np.ndarray]:
        """Errors (n,) by which bounds are calibrated, by their names in `Calibrated.scales`, of
        predicted and true values (n, ...); none of a target that bounds are not made of."""
        return {}

    @abstractmethod
    def figures(self, predicted: np.ndarray, true: np.ndarray, density: Density) -> dict:
        """Figures of merit of n crystals, from predicted and true values (n, ...)."""

    @abstractmethod
    def row(self, side: str, value: np.ndarray, density: Density) -> dict:
        """One side ("predicted", "reference") of a crystal in an evaluation, from its value (...)
        and density, arrays (1,): keys begin with it. Numbers are drawn in parity plots, lists are
        not."""


@dataclass(frozen=True, eq=False)
class WholeTensor(Target):
    """A whole tensor of the kind of a quantity, (*form.shape) in the network's form.

    It is scored by its relative Frobenius error |P - T|/|T|, the figure that is reported; the loss
    adds the same for the anisotropic part alone, which the whole hides.
    """

    compared: tuple[str, ...] = ("median_relative", "mean_relative")

    def predicted(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return outputs[self.quantity.name]

    def errors(self, predicted: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return relative_loss(predicted, value)

    def loss(self, predicted: torch.Tensor, value: torch.Tensor, anisotropy: float) -> torch.Tensor:
        return tensor_loss(self.quantity.form, predicted, value, anisotropy)

    def deviations(
        self, predicted: np.ndarray, true: np.ndarray, density: Density
    ) -> dict[str, np.ndarray]:
        return tensor_deviations(self.quantity, predicted, true, density)


@dataclass(frozen=True, eq=False)
class TensorTarget(WholeTensor):
    """The tensor of a quantity from first principles.

    features: what the scale of its error may depend on beside rarity and distance, see
        `error_features`; by default what the quantity's own heads give.
    """

    features: tuple[str, ...] = ()

    def value(self, columns: Columns) -> np.ndarray | None:
        tensor = columns.get(self.quantity.name)
        return None if tensor is None else self.quantity.from_ase(np.asarray(tensor))

    def figures(self, predicted: np.ndarray, true: np.ndarray, density: Density) -> dict:
        quantity = self.quantity
        figures = metrics.summary(quantity.form, predicted, true)
        scale = quantity.display.scale
        entries = np.abs(quantity.to_ase(predicted) - quantity.to_ase(true)).mean() * scale
        figures["entries_mae"] = float(entries)
        values = [quantity.scalar_values(side, density) for side in (predicted, true)]
        for scalar in quantity.scalars:
            if scalar.least is not None:
                error = np.abs(values[0][scalar.name] - values[1][scalar.name])
                figures[f"{scalar.name}_mae"] = float(np.nanmean(error))
        if quantity.least_eigenvalue is not None:
            lowest = np.linalg.eigvalsh(predicted)[:, 0]
            figures["unphysical"] = int((lowest < quantity.least_eigenvalue).sum())
        return figures

    def row(self, side: str, value: np.ndarray, density: Density) -> dict:
        quantity, display = self.quantity, self.quantity.display
        scalars = quantity.scalar_values(value[None], density)
        row = {
            f"{side}_{s.name}": float(scalars[s.name][0]) for s in quantity.scalars if s.headline
        }
        unit = display.unit.lower().replace("/", "_per_")
        key = f"{side}_{unit}" if unit else side
        return row | {key: (quantity.to_ase(value) * display.scale).tolist()}

    def error_columns(self) -> tuple[str, ...]:
        """Names of the features that the scale of its error may depend on."""
        name = self.quantity.name
        own = [f"{name} rarity", f"{name} novelty", name + DISTANCE]
        if self.features:
            return (*self.features, *own)
        columns = ["packing", "transition metals", *own]
        for head in self.quantity.heads:
            columns += [f"{head.name} spread", f"{head.name} anisotropy"]
            columns += [f"{head.name} level"] if head.form.scalars else []
        return tuple(columns)


def tensor_deviations(
    quantity: Quantity, predicted: np.ndarray, true: np.ndarray, density: Density
) -> dict[str, np.ndarray]:
    """ "relative_error" of tensors (n, *form.shape) and ln (true - least) / (predicted - least) of
    their scalars, each (n,); NaN where a crystal has no such scalar."""
    deviations = {RELATIVE: relative_errors(predicted, true)}
    values = [quantity.scalar_values(side, density) for side in (predicted, true)]
    for scalar in quantity.scalars:
        if scalar.least is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                above = [side[scalar.name] - scalar.least for side in values]
                deviations[scalar.name] = np.log(above[1] / above[0])
    return deviations


def tensor_loss(
    form: Form, predicted: torch.Tensor, target: torch.Tensor, anisotropy: float
) -> torch.Tensor:
    """Mean relative error of tensors (n, *form.shape) plus `anisotropy` times that of the
    anisotropic part (torch)."""
    norm = target.norm(dim=(-2, -1), keepdim=True)
    p, t = predicted / norm, target / norm
    whole = relative_loss(p, t)
    directional = (p - form.isotropic_part(p)) - (t - form.isotropic_part(t))
    directional = (directional.square().sum((-2, -1)) + 1e-12).sqrt()
    return (whole + anisotropy * directional).mean()


@dataclass(frozen=True, eq=False)
class DataSet:
    """Rows of one kind of training data.

    name: in databases and recipes.
    columns: what a row has -> its shape; () is a number. Units are those of the quantities; K and G
        are in GPa.
    curate: a record to the checked one, or to why it cannot be used (curation.py).
    targets: what its rows teach.
    partial: whether a row may lack some of the columns.
    derived: whether its rows are crystals of other data sets again, strained copies for example:
        they teach, and do not count as data of their own.
    """

    name: str
    columns: Mapping[str, tuple[int, ...]]
    curate: Callable[[Record], Record | Rejection]
    targets: tuple[Target, ...] = ()
    partial: bool = False
    derived: bool = False

    @property
    def holds_tensors(self) -> bool:
        """Whether its rows teach whole tensors."""
        return any(isinstance(target, TensorTarget) for target in self.targets)

    def missing(self, columns: Columns) -> list[str]:
        """Names of the columns that a row with these still needs."""
        missing = [name for name in self.columns if name not in columns]
        return [] if self.partial and len(missing) < len(self.columns) else missing
