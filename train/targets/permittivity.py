"""The electronic and the total permittivity, which one data set holds together."""

from dataclasses import replace

import numpy as np

from ase_eqtensor.models.features import SOFT_IONS
from ase_eqtensor.quantities.permittivity import ELECTRONIC, EPS_NOISE, TOTAL
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets.base import DataSet, TensorTarget
from ase_eqtensor.train.targets.curation import broken, projected

EPS_INF, INDEX, EPS_TOTAL = "eps_inf", "refractive_index", "eps_total"
MAX_EPS = 1000.0
# Born charges may vanish when all atoms are alike, but hardly between different elements: an ionic
# part that is zero along some axis to this fraction of its largest value was not computed there.
IONIC_ZERO = 1e-5

_FEATURES = (
    "electronic spread",
    "ionic spread",
    "electronic level",
    "ionic level",
    "packing",
    "transition metals",
    "stiffness level",
)


def _curate(record: Record) -> Record:
    targets, deviation = projected(record, (ELECTRONIC, TOTAL))
    reason = _unphysical(record, targets) or broken(deviation)
    return replace(record, targets=targets, quarantine=reason, frame_deviation=deviation)


def _unphysical(record: Record, targets: dict[str, np.ndarray]) -> str:
    for name, tensor in targets.items():
        eps = np.linalg.eigvalsh(tensor)
        if eps[0] < 1 - EPS_NOISE:
            return f"permittivity below 1: {name} has the eigenvalue {eps[0]:.3f}"
        if eps[-1] > MAX_EPS:
            return f"absurd permittivity: {name} has the eigenvalue {eps[-1]:.0f}"
    if len(targets) < 2:  # only one of the two is known
        return ""
    ionic = targets[TOTAL.name] - targets[ELECTRONIC.name]
    lowest, *_, highest = np.linalg.eigvalsh(ionic)
    if lowest < -EPS_NOISE:
        return f"negative ionic part: lowest eigenvalue {lowest:.4f}"
    if len(set(record.atoms.numbers)) > 1 and lowest <= IONIC_ZERO * highest:
        return f"missing ionic part: eigenvalues {lowest:.2g} to {highest:.2g} in a compound"
    return ""


ELECTRONIC_TARGET = TensorTarget(
    ELECTRONIC,
    features=(*_FEATURES, "electronic anisotropy"),
)
TOTAL_TARGET = TensorTarget(TOTAL, features=(*_FEATURES, "ionic anisotropy", SOFT_IONS))
DIELECTRIC = DataSet(
    "dielectric",
    {ELECTRONIC.name: ELECTRONIC.shape, TOTAL.name: TOTAL.shape},
    _curate,
    (ELECTRONIC_TARGET, TOTAL_TARGET),
    partial=True,
)
