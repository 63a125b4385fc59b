"""What network and potential say of a crystal, each alone and both together, for people."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES, Density
from ..quantities.stiffness import STIFFNESS
from ..tensors.notation import GPA
from .words import readable


@dataclass(frozen=True)
class Told:
    """sentence: who was asked. labels: of columns. rows: who says it -> values."""

    sentence: str
    labels: list[str]
    rows: dict[str, list[str]]


def told_opinion(prediction: Prediction, atoms: Atoms) -> Told | None:
    """None for a prediction without a partner, or one that said nothing."""
    consulted = prediction.consulted
    if consulted is None or consulted.opinion is None:
        return None
    opinion = consulted.opinion
    density = Density.of([atoms])
    shown = [
        (name, scalar)
        for name in prediction.tensors
        if name not in consulted.alone and name not in prediction.known
        for scalar in QUANTITIES[name].scalars
        if scalar.headline
    ]
    if not shown:
        return None
    potential = STIFFNESS.scalar_values(_mandel(opinion.stiffness_gpa), density)
    network = {
        scalar: value
        for name, tensor in consulted.network.items()
        for scalar, value in QUANTITIES[name]
        .scalar_values(QUANTITIES[name].from_ase(tensor)[None], density)
        .items()
    }

    def cell(values, name: str) -> str:
        value = float(np.ravel(values[name])[0]) if name in values else np.nan
        return f"{value:.3g}" if np.isfinite(value) else "-"

    rows = {"network": network, consulted.partner: potential, "together": prediction.scalars}
    labels = [f"{s.label}, {s.unit}" if s.unit else s.label for _, s in shown]
    unstable = f" It finds the crystal {opinion.instability}." if opinion.instability else ""
    sentence = (
        f"The potential {consulted.partner} was asked, too, and changed these values. It relaxed "
        f"the crystal to {opinion.volume_ratio:.3f} times its volume.{unstable}"
    )
    return Told(
        readable(sentence),
        labels,
        {who: [cell(values, s.name) for _, s in shown] for who, values in rows.items()},
    )


def _mandel(stiffness_gpa: np.ndarray) -> np.ndarray:
    return STIFFNESS.from_ase(stiffness_gpa * GPA)[None]
