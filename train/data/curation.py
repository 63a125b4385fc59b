"""The checks that every record passes before it enters the database.

What a data set demands of its rows stands with its targets (train/targets/). A row that cannot be
used at all is rejected; a doubtful one is quarantined: training skips it, and it is still scored
when it falls in the test fold.
"""

from dataclasses import replace

import numpy as np

from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import DATASETS, columns


def curate(record: Record) -> Record | Rejection:
    """Symmetrised, projected on the point group and checked.

    Returns the record with `quarantine` set to the reason if it is doubtful (a doubt that the
    source has expressed stays), or a Rejection if a target is missing, has the wrong shape or is
    not finite, or is in a frame that cannot be the structure's.
    """
    if problem := _malformed(record):
        return record.rejected(problem)
    curated = DATASETS[record.dataset].curate(record)
    if record.quarantine and isinstance(curated, Record):
        curated = replace(curated, quarantine=record.quarantine)
    return curated


def _malformed(record: Record) -> str:
    if missing := DATASETS[record.dataset].missing(record.targets):
        return f"missing target: {', '.join(missing)}"
    shapes = columns()
    for name, value in record.targets.items():
        if np.shape(value) != shapes[name]:
            return f"wrong shape: {name} {np.shape(value)} instead of {shapes[name]}"
        if not np.isfinite(value).all():
            return f"not finite: {name}"
    if not len(record.atoms) or not record.atoms.cell.volume > 0:
        return "no crystal: no atoms, or a cell without volume"
    return ""
