"""A network's tensors and what a potential says, made into better ones.

Their errors are nearly independent. Of a stiffness the logarithms are averaged: K and G move by
linear functions of how far the two are apart, which differ between chemical classes, because
potentials are too soft in shear in some of them; the parts of each degree l are sums of those of
both with weights that no rotation changes. Of a permittivity the ionic part is stretched to what
the potential's force constants and learnt charges (charges.py) make of it. All coefficients are
fitted on crystals that the network did not learn from (train/partner/) and lie in the partner's
card (partner_card.py).

A potential says what a crystal at rest is like, a network what the given one is. A crystal that the
potential finds compressed or stretched has the potential's answer carried along by the law of
pressure that its strained labels obey.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import torch

from ..crystal.chemistry import CHEMICAL_CLASSES
from ..quantities.permittivity import TOTAL_NAME
from ..quantities.stiffness import STIFFNESS
from ..tensors.forms import MANDEL
from ..tensors.moduli import hill_average
from ..tensors.notation import of_symmetric
from .features import CONSTANT
from .uncertainty import linear

# Names of features.
BULK_GAP, SHEAR_GAP, STIFFNESS_GAP = "bulk gap", "shear gap", "stiffness gap"
UNSTABLE = "unstable in the potential"
IONIC_GAP, IONIC_DISTANCE = "ionic gap", "distance of ionic parts"
SOFTNESS, SOFT_GAP = "softest polar mode", "ionic gap of a soft mode"
GROUPS = (CONSTANT, *CHEMICAL_CLASSES, UNSTABLE)
# Quantity that errors are learnt of -> what the scale of the error of a mixture may depend on.
TOLD_BY_GAPS = {
    STIFFNESS.name: (STIFFNESS_GAP, UNSTABLE),
    TOTAL_NAME: (IONIC_DISTANCE, SOFTNESS),
}

# Powers of the volume of a crystal under pressure: that of K is the median of our labels.
STIFFNESS_POWER, IONIC_POWER = -4.4, 2.0
AT_REST = 0.015  # change of ln V in relaxation, which 95 % of relaxed crystals do not exceed
# Eigenvalues of an unstable crystal's stiffness, in units of twice the network's G: where there is
# no minimum they mean little, but that the crystal is soft.
USABLE = (0.1, 10.0)
SMALLEST_GAP, SMALLEST_IONIC_GAP = 0.03, 0.1  # keep the logarithms of gaps finite
WIDEST = 1.0  # gap that counts: charges of complex ions, as SbF6, come out far too large
STIFF = 5.0  # eV/Å^2, of a mode that is not soft
SMALL = 0.05  # of a third of the trace: smaller ionic parts are alike
ROUNDS, CLOSE = 100, 1e-9  # of the search for given moduli, and how close it comes to them
_DILATION = np.pad(np.full((3, 3), 1 / 3), (0, 3))
_SHEAR = np.eye(6) - _DILATION


class StiffnessMixture(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the stiffnesses of a network and a potential make one.

    bulk, shear: coefficients of features, see `gaps`, whose sums are added to the logarithms of the
        network's K and G (Hill).
    mixing: degree l, as text -> one of `GROUPS` -> (m, 2 m): which parts of degree l the logarithm
        of the stiffness has, m of them, as sums of the network's m and the potential's m. Groups
        that a crystal belongs to add up.
    """

    bulk: dict[str, float]
    shear: dict[str, float]
    mixing: dict[str, dict[str, list[list[float]]]]


class IonicMixture(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the ionic parts of a network and of a potential make one.

    shift: coefficients of features, see `ionic_gaps`, whose sum is added to the logarithm of a
        third of the trace of the network's ionic part, SMALL added to it.
    """

    shift: dict[str, float]


def log_moduli(stiffness: np.ndarray) -> np.ndarray:
    """ln K and ln G (B, 2), Hill's averages, of stiffnesses (B, 6, 6; Mandel), in their unit."""
    return torch.stack(hill_average(torch.from_numpy(stiffness)), dim=1).log().numpy()


def gaps(
    network: np.ndarray, potential: np.ndarray, features: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """How far the stiffnesses (B, 6, 6; Mandel) of a potential and of a network are apart, each
    (B,): logarithms of the ratios of K and of G, also times 1 or 0 for each chemical class
    ("CLASS bulk gap"), and "stiffness gap", the logarithm of the distance of the logarithms."""
    bulk, shear = (log_moduli(potential) - log_moduli(network)).T
    distance = np.linalg.norm(_log(potential) - _log(network), axis=(1, 2))
    found = {BULK_GAP: bulk, SHEAR_GAP: shear, STIFFNESS_GAP: np.log(distance + SMALLEST_GAP)}
    for name in GROUPS[1:]:
        found |= {f"{name} {gap}": features[name] * found[gap] for gap in (BULK_GAP, SHEAR_GAP)}
    return found


def usable(potential: np.ndarray, network: np.ndarray) -> np.ndarray:
    """Stiffnesses (B, 6, 6; Mandel) of a potential with eigenvalues out of the range of `USABLE`
    at its ends; those of the network give the scale."""
    scale = 2 * np.exp(log_moduli(network)[:, 1:])
    least, greatest = (share * scale for share in USABLE)
    return of_symmetric(lambda values: np.clip(values, least, greatest), potential)


def mixed_stiffness(
    mixture: StiffnessMixture,
    network: np.ndarray,
    potential: np.ndarray,
    features: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Stiffnesses (B, 6, 6) from those of a network and of a potential, all Mandel, eV/Å^3, in one
    frame and positive definite; `features` are those of the crystals with `gaps`."""
    parts = [MANDEL.by_degree(_log(tensors)) for tensors in (network, potential)]
    mixed = [parts[0][0]]  # whatever is isotropic follows from K and G
    for l, multiplicity in MANDEL.irreps.items():
        if l:
            sources = np.concatenate(
                [part[l].reshape(-1, multiplicity, 2 * l + 1) for part in parts], axis=1
            )
            weights = sum(
                features[group][:, None, None] * np.array(matrix)
                for group, matrix in mixture.mixing[str(l)].items()
            )
            mixed.append((weights @ sources).reshape(len(network), -1))
    shift = [linear(coefficients, features) for coefficients in (mixture.bulk, mixture.shear)]
    wanted = log_moduli(network) + np.stack(shift, axis=1)
    return _with_moduli(MANDEL.array(np.concatenate(mixed, axis=1)), wanted)


def _with_moduli(logarithm: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The stiffnesses (B, 6, 6) whose logarithm is this one (B, 6, 6) but for isotropic parts, with
    these ln K and ln G (B, 2)."""
    for _ in range(ROUNDS):
        stiffness = _exp(logarithm)
        missing = wanted - log_moduli(stiffness)
        if np.abs(missing).max(initial=0.0) < CLOSE:
            break
        bulk, shear = missing.T[..., None, None]
        logarithm = logarithm + bulk * _DILATION + shear * _SHEAR
    return stiffness


def ionic_gaps(
    network: np.ndarray, potential: np.ndarray, softest: np.ndarray
) -> dict[str, np.ndarray]:
    """How far ionic parts are apart, (B,), of thirds of traces (B,) by a network and by a
    potential, the logarithm of their distance, and that of the softest polar mode's force
    constant (B,), eV/Å^2."""
    gap = np.clip(_log_ionic(potential) - _log_ionic(network), -WIDEST, WIDEST)
    soft = np.log(np.minimum(softest, STIFF))
    distance = np.log(np.abs(gap) + SMALLEST_IONIC_GAP)
    return {IONIC_GAP: gap, SOFTNESS: soft, SOFT_GAP: gap * soft, IONIC_DISTANCE: distance}


def mixed_permittivity(
    mixture: IonicMixture,
    total: np.ndarray,
    electronic: np.ndarray,
    features: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Total permittivities (B, 3, 3) whose ionic part has the shape of the network's, which gives
    `total` and `electronic` (B, 3, 3); `features` are those of the crystals with `ionic_gaps`."""
    ionic = total - electronic
    size = ionic_size(total, electronic)
    wanted = np.exp(_log_ionic(size) + linear(mixture.shift, features)) - SMALL
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(size > 0, np.maximum(wanted, 0) / size, 1.0)
    return electronic + factor[:, None, None] * ionic


def ionic_size(total: np.ndarray, electronic: np.ndarray) -> np.ndarray:
    """A third of the trace (B,) of the ionic part of permittivities (B, 3, 3)."""
    return np.einsum("bii->b", total - electronic) / 3


def _log_ionic(size: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(size, 0) + SMALL)


def under_pressure(power: float, volume_ratio: float) -> float:
    """Factor by which what goes with this power of the volume differs at the given volume from the
    crystal at rest, which a potential relaxed to `volume_ratio` times that."""
    change = np.log(volume_ratio)
    beyond = change - np.clip(change, -AT_REST, AT_REST)  # less than that a potential is often off
    return float(np.exp(-power * beyond))


def _log(matrices: np.ndarray) -> np.ndarray:
    return of_symmetric(np.log, matrices)


def _exp(matrices: np.ndarray) -> np.ndarray:
    return of_symmetric(np.exp, matrices)
