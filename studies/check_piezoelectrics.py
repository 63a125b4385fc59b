"""What `eqtensor check` says of the public piezoelectric set as it is written:

    python -m studies.check_piezoelectrics matminer-0.3.9.tar.gz

Many of its rows are in another frame than their structure, see docs/piezoelectric.md. Each is
judged by networks that left its composition out. Where train/data/sources/frames.csv has one frame
for a row, the repaired tensor is compared with the row in that frame; the networks were taught with
these frames, for other compositions.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor.checking.verdict import verdicts
from ase_eqtensor.crystal.symmetry import DEFAULT_SYMPREC
from ase_eqtensor.models.store import load_model
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.sources.frames import read_frames
from ase_eqtensor.train.data.sources.matminer import MatminerSource
from ase_eqtensor.train.targets.piezoelectric import NOISE
from studies.check_cases import RESTORED, predictions


def main(
    archive: Annotated[Path, typer.Argument(help="Source archive of matminer 0.3.9.")],
    model: Annotated[str | None, typer.Option(help="Shipped model or .safetensors file.")] = None,
) -> None:
    """Print verdicts by what is known of the frames of the rows."""
    name, frames = PIEZOELECTRIC.name, read_frames()
    rows = [
        record
        for record in MatminerSource(archive).piezoelectric()
        if np.linalg.norm(PIEZOELECTRIC.from_ase(record.targets[name])) > NOISE
    ]
    counts: dict[str, Counter[str]] = {}
    for record, prediction in zip(rows, predictions(load_model(model), rows, out_of_fold=True)):
        written = np.asarray(record.targets[name])
        verdict = verdicts(record.atoms, {name: written}, prediction, DEFAULT_SYMPREC)[name]
        known = frames.get(record.source_id, ())
        turned = [PIEZOELECTRIC.rotate(written, frame.rotation) for frame in known]
        same = [PIEZOELECTRIC.relative_error(one, written) < RESTORED for one in turned]
        kind = "none of the frames known" if not known else "several frames possible"
        if len(known) == 1:
            kind = "in the frame of its structure" if same[0] else "in another frame"
        found = counts.setdefault(kind, Counter())
        found["rows"] += 1
        found[verdict.status] += 1
        found["the same tensor"] += any(
            PIEZOELECTRIC.relative_error(verdict.tensor, one) < RESTORED for one in turned
        )
    columns = ["rows", "fine", "far", "wrong", "doubtful", "the same tensor"]
    cells = [[kind, *(f"{found[c]}" for c in columns)] for kind, found in counts.items()]
    print(table(["by train/frames", *columns], cells))


if __name__ == "__main__":
    typer.run(main)
