"""Where a potential says that the ions of piezoelectric crystals go under strain:

    python -m ase_eqtensor.train.frames.label LABELS [--archive matminer-0.3.9.tar.gz] [--workers 2]

labels the crystals of the public set, whatever frame their tensors are in. Run it again to go on.
"""

from pathlib import Path
from typing import Annotated

import typer

from ase_eqtensor.train.data.sources.matminer import MatminerSource
from ase_eqtensor.train.teacher.crystals import Crystal
from ase_eqtensor.train.teacher.labelling import Labelled, label


def main(
    labels: Annotated[Path, typer.Argument(help="File to write, or to go on with.")],
    archive: Annotated[Path | None, typer.Option(help="Local copy of the source archive.")] = None,
    calculator: Annotated[str, typer.Option(help="Name of the potential.")] = "7net-l3i5",
    level: Annotated[str, typer.Option(help="Its level of theory, if it is not known.")] = "",
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
) -> Labelled:
    """Label the crystals, smallest cells first."""
    rows = MatminerSource(archive).piezoelectric()
    crystals = [Crystal(r.source_id, r.dataset, r.reduced_formula, r.atoms) for r in rows]
    crystals.sort(key=lambda crystal: len(crystal.atoms))
    done = label(crystals, labels, calculator, level, internal_strain=True, workers=workers)
    print(f"{labels}: {done.labels} labels, {done.failures} failures")
    return done


if __name__ == "__main__":
    typer.run(main)
