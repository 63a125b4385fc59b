"""What becomes of a network's tensors where a potential has an opinion of the crystals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..potential.opinion import Opinion
from ..quantities.permittivity import ELECTRONIC_NAME, TOTAL_NAME
from ..quantities.stiffness import COMPLIANCE, STIFFNESS
from ..tensors.notation import GPA, voigt_to_mandel
from .charges import FLOOR, BornCharges, IonicPart, Neighbourhoods, ionic_part
from .features import sizes
from .mixture import (
    IONIC_POWER,
    STIFFNESS_POWER,
    UNSTABLE,
    IonicMixture,
    StiffnessMixture,
    gaps,
    ionic_gaps,
    ionic_size,
    mixed_permittivity,
    mixed_stiffness,
    under_pressure,
    usable,
)

STIFFNESSES = (STIFFNESS.name, COMPLIANCE.name)
UNCALIBRATED = "nothing is known of what it is worth for this tensor"
NOT_ASKED = "it was not asked for the force constants of a crystal that is probably a metal"
NOT_FINITE = "the network's own tensor is not finite"
NO_DIPOLE = "no displacement of its ions makes a dipole"
NO_ELECTRONS = "a potential knows nothing of electrons"
SOFT_MODE = "a polar mode is "  # so begins why a permittivity is the network's: soft, or unstable
EXPECTED = frozenset({UNCALIBRATED, NOT_ASKED, NO_DIPOLE, NO_ELECTRONS})  # no news to anybody

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Combined:
    """Tensors of B crystals, those of a network and a potential together where both can be used.

    tensors: quantity -> (B, *form.shape).
    features: of their errors, (B,), with the gaps between the two, zero where only one is used.
    alone: for each crystal quantity -> why its tensor is the network's alone.
    """

    tensors: Arrays
    features: Arrays
    alone: list[dict[str, str]]

    def used(self, name: str) -> np.ndarray:
        """Whether the tensors (B,) of a quantity are those of both."""
        return np.array([name not in reasons for reasons in self.alone])


@dataclass(frozen=True, eq=False)
class Partnership:
    """How a network and a potential are combined, see the partner's card."""

    stiffness: StiffnessMixture | None
    ionic: IonicMixture | None
    charges: BornCharges | None

    def combine(
        self, tensors: Arrays, features: Arrays, opinions: Sequence[Opinion | str]
    ) -> Combined:
        """The tensors of B crystals.

        Args:
            tensors: quantity -> (B, *form.shape), the network's. features: of their errors, (B,).
            opinions: the potential's, or why it has none.
        """
        unknown = dict.fromkeys(tensors, UNCALIBRATED) | {ELECTRONIC_NAME: NO_ELECTRONS}
        alone = [{name: unknown[name] for name in tensors} for _ in opinions]
        found, known = dict(tensors), dict(features)
        if self.stiffness is not None and STIFFNESS.name in tensors:
            network = tensors[STIFFNESS.name]
            reasons, rows, potential, unstable = stiffnesses(opinions, network)
            for name in STIFFNESSES:
                _note(alone, name, reasons)
            if len(rows):
                own = {name: values[rows] for name, values in features.items()} | unstable
                apart = unstable | gaps(network[rows], potential, own)
                mixed = mixed_stiffness(self.stiffness, network[rows], potential, own | apart)
                found[STIFFNESS.name] = _replaced(network, rows, mixed)
                if COMPLIANCE.name in tensors:
                    inverse = np.linalg.inv(mixed)
                    found[COMPLIANCE.name] = _replaced(tensors[COMPLIANCE.name], rows, inverse)
                known |= _spread(apart, rows, len(opinions))
        if self.ionic is not None and self.charges is not None and TOTAL_NAME in tensors:
            network = ionic_size(tensors[TOTAL_NAME], tensors[ELECTRONIC_NAME])
            reasons, rows, size, softest = ionic_parts(opinions, self.charges, network)
            _note(alone, TOTAL_NAME, reasons)
            if len(rows):
                total, electronic = (tensors[name][rows] for name in (TOTAL_NAME, ELECTRONIC_NAME))
                own = {name: values[rows] for name, values in features.items()}
                apart = ionic_gaps(network[rows], size, softest)
                mixed = mixed_permittivity(self.ionic, total, electronic, own | apart)
                found[TOTAL_NAME] = _replaced(tensors[TOTAL_NAME], rows, mixed)
                known |= _spread(apart, rows, len(opinions))
        return Combined(found, known | sizes(found), alone)


def stiffnesses(
    opinions: Sequence[Opinion | str], network: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray, Arrays]:
    """Why the stiffness of each of B crystals is the network's alone, "" where a potential knows
    it; indices (n,) of these, their stiffnesses at the given volume (n, 6, 6; Mandel, eV/Å^3), and
    the feature "unstable in the potential", (n,).

    `network` are the stiffnesses (B, 6, 6) of the network.
    """
    reasons: list[str] = []
    rows, found, instabilities = [], [], []
    for i, opinion in enumerate(opinions):
        reason = opinion if isinstance(opinion, str) else opinion.doubt
        if not np.isfinite(network[i]).all():
            reason = NOT_FINITE
        reasons.append(reason)
        if isinstance(opinion, Opinion) and not reason:
            rows.append(i)
            at_rest = voigt_to_mandel(opinion.stiffness_gpa) * GPA
            found.append(at_rest * under_pressure(STIFFNESS_POWER, opinion.volume_ratio))
            instabilities.append(opinion.instability)
    chosen = np.array(rows, dtype=int)
    potential = np.array(found).reshape(-1, *STIFFNESS.form.shape)
    unstable = np.array([text != "" for text in instabilities], dtype=bool)
    potential[unstable] = usable(potential[unstable], network[chosen][unstable])
    return reasons, chosen, potential, {UNSTABLE: unstable.astype(float)}


def ionic_parts(
    opinions: Sequence[Opinion | str], charges: BornCharges, predicted: np.ndarray
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Why the ionic part of each of B crystals is the network's alone, "" where a potential knows
    it; indices (n,) of these, a third of the traces (n,) of these parts at the given volume, and
    the softest force constants (n,) of polar modes, eV/Å^2.

    `predicted` (B,) is the same third by the network.
    """
    reasons: list[str] = []
    rows, found, softest = [], [], []
    for i, opinion in enumerate(opinions):
        reason = opinion if isinstance(opinion, str) else opinion.doubt
        if isinstance(opinion, Opinion) and not reason:
            if opinion.force_constants is None:
                reason = NOT_ASKED
            elif not np.isfinite(predicted[i]):
                reason = NOT_FINITE
            elif predicted[i] <= 0:
                reason = NO_DIPOLE
            else:
                part = ionic_part_of(opinion, charges)
                reason = _too_soft(part.softest)
                if not reason:
                    factor = under_pressure(IONIC_POWER, opinion.volume_ratio)
                    rows.append(i)
                    found.append(np.trace(part.permittivity) / 3 * factor)
                    softest.append(part.softest)
        reasons.append(reason)
    return reasons, np.array(rows, dtype=int), np.array(found), np.array(softest)


def ionic_part_of(opinion: Opinion, charges: BornCharges) -> IonicPart:
    """The ionic part that charges make of a potential's force constants: of members the mean
    permittivity, and the median of the softest polar modes."""
    members = charges(Neighbourhoods.of([opinion.atoms]))[:, 0].double().numpy()
    parts = [ionic_part(member, opinion) for member in members]
    return IonicPart(
        np.mean([part.permittivity for part in parts], axis=0),
        float(np.median([part.softest for part in parts])),
    )


def _too_soft(softest: float) -> str:
    if softest > FLOOR:
        return ""
    kind = "unstable" if softest <= 0 else "soft"
    return f"{SOFT_MODE}{kind} ({softest:.2f} eV/Å^2, below {FLOOR})"


def _note(alone: Sequence[dict[str, str]], name: str, reasons: Sequence[str]) -> None:
    """Note why the tensor of a quantity is the network's alone in each of B crystals, or, without a
    reason, that it is not; only of tensors that there are."""
    for own, reason in zip(alone, reasons):
        if name in own:
            if reason:
                own[name] = reason
            else:
                del own[name]


def _replaced(values: np.ndarray, rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[rows] = by
    return values


def _spread(features: Arrays, rows: np.ndarray, count: int) -> Arrays:
    """Features (n,) of some of `count` crystals as (count,), zero for the others."""
    return {name: _replaced(np.zeros(count), rows, values) for name, values in features.items()}
