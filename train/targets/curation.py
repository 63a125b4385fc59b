"""Checks that the data sets of tensors share: symmetrised, projected on the point group.

A row that cannot be used at all is rejected. A doubtful one is quarantined: training skips it, and
it is still scored when it falls in the test fold.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities import Quantity
from ase_eqtensor.tensors.forms import Form
from ase_eqtensor.train.record import Record

# Relative part of a tensor that may break transposition or the point group. Noise of the
# calculations reaches 9 % in the stiffness and 7 % in the permittivity set.
TENSOR_FRAME = 0.15


def curate_tensors(*quantities: Quantity) -> Callable[[Record], Record]:
    """The curation of a data set that holds these tensors, and has no rules of its own."""

    def curate(record: Record) -> Record:
        targets, deviation = projected(record, quantities)
        return replace(
            record, targets=targets, quarantine=broken(deviation), frame_deviation=deviation
        )

    return curate


def projected(
    record: Record, quantities: tuple[Quantity, ...]
) -> tuple[dict[str, np.ndarray], float]:
    """A record's tensors averaged over transposition and point group, (*shape) by quantity, and the
    largest relative part of one that broke them."""
    group = analyse(record.atoms).rotations
    tensors, deviation = {}, 0.0
    for quantity in (q for q in quantities if q.name in record.targets):
        raw = quantity.from_ase(np.asarray(record.targets[quantity.name]))
        average, broken_part = averaged(quantity.form, raw, group)
        deviation = max(deviation, broken_part)
        tensors[quantity.name] = quantity.to_ase(average)
    return tensors, deviation


def averaged(form: Form, raw: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, float]:
    """An array (*form.shape) averaged over transposition and a point group (G, 3, 3), and the
    relative part of it that broke them."""
    symmetrised = form.array(form.components(raw))
    average = form.group_averages(symmetrised[None], [group])[0]
    return average, relative_deviation(average, raw)


def broken(deviation: float) -> str:
    """Why a tensor with this relative deviation is quarantined; "" if it is not."""
    if deviation <= TENSOR_FRAME:
        return ""
    return f"wrong frame: {deviation:.0%} of the tensor breaks transposition or the point group"


def relative_deviation(projected: np.ndarray, raw: np.ndarray) -> float:
    """|P - T| / |T| of arrays (*form.shape) of one form; 0 for a tensor that vanishes."""
    size = np.linalg.norm(raw)
    return float(np.linalg.norm(projected - raw) / size) if size else 0.0
