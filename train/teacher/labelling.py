"""Labels crystals with the stiffness that a calculator gives them and strained copies of them."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ase_eqtensor.errors import DataError
from ase_eqtensor.parallel import in_parallel
from ase_eqtensor.potential.calculators import calculator, teacher
from ase_eqtensor.potential.relaxation import Relaxed, relax
from ase_eqtensor.potential.response import Response, response
from ase_eqtensor.potential.symmetric import symmetric_crystal
from ase_eqtensor.tensors.notation import VOIGT_PAIRS, voigt_to_mandel
from ase_eqtensor.train.teacher.copies import at_volume, chosen
from ase_eqtensor.train.teacher.crystals import Crystal
from ase_eqtensor.train.teacher.labels import LABELS, SETTINGS, Label, line

RELAXED = 1.0  # the volume ratio of the relaxed crystal itself


class Labelled(NamedTuple):
    """Number of labels and of failures in a file, and how many of both are new."""

    labels: int
    failures: int
    new: int


class Further(NamedTuple):
    """What labels have beside stiffnesses, see `label`."""

    force_constants: bool
    internal_strain: bool


def label(
    crystals: Sequence[Crystal],
    output: Path,
    name: str,
    level_of_theory: str = "",
    *,
    volume_ratios: Sequence[float] = (),
    ratios_each: int | None = None,
    force_constants: bool = False,
    internal_strain: bool = False,
    workers: int = 1,
    backend: str = "local",
    address: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Labelled:
    """Append to `output` what it lacks: a label of every crystal and of its strained copies.

    A crystal is written as soon as it and those before it are done. Failures are written, too, and
    not tried again.

    Args:
        name, level_of_theory: of the calculator, see `teacher`.
        volume_ratios: of the strained copies to the relaxed crystal.
        ratios_each: how many of them each crystal gets; None for all.
        force_constants: whether new labels of relaxed crystals have those of all displacements.
        internal_strain: whether new labels say where the ions go.
        workers, backend, address: as in `in_parallel`.
        progress: is told the number of crystals done and in all.

    Raises DataError for an unknown calculator or backend, a volume ratio out of range, or an
    `output` that is not such a file or was begun with another calculator.
    """
    for ratio in volume_ratios:
        if not 0.5 <= ratio <= 2 or ratio == RELAXED:
            raise DataError(f"a strained copy of volume ratio {ratio}: choose 0.5 to 2, but not 1")
    master = teacher(name, level_of_theory)
    header = {
        "calculator": master.name,
        "library": master.library,
        "level_of_theory": master.level_of_theory,
        "settings": SETTINGS,
    }
    output = Path(output)
    known = {LABELS.key(entry): entry for entry in LABELS.begin_or_resume(output, header)}
    wanted_too = Further(force_constants, internal_strain)
    tasks = []
    for crystal in crystals:
        count = len(volume_ratios) if ratios_each is None else ratios_each
        wanted = [RELAXED, *chosen(volume_ratios, crystal.id, count)]
        missing = [v for v in wanted if (crystal.dataset, crystal.id, v) not in known]
        relaxed = known.get((crystal.dataset, crystal.id, RELAXED))
        if missing and not (relaxed and "error" in relaxed):
            start = relaxed and Label(**relaxed)
            tasks.append((crystal, missing, start, wanted_too, name, level_of_theory))
    failures = sum("error" in entry for entry in known.values())
    new = 0
    with output.open("ab") as stream:
        results = in_parallel(_label_crystal, tasks, workers, backend, address)
        for done, entries in enumerate(results, start=1):
            stream.write(b"".join(map(line, entries)))
            stream.flush()
            new += len(entries)
            failures += sum(not isinstance(entry, Label) for entry in entries)
            if progress:
                progress(done, len(tasks))
    return Labelled(len(known) + new - failures, failures, new)


def _label_crystal(
    crystal: Crystal,
    volume_ratios: Sequence[float],
    start: Label | None,
    further: Further,
    name: str,
    level_of_theory: str,
) -> list[Label | dict]:
    """Labels or failures of a crystal at these volume ratios; `start` is the label of the relaxed
    crystal, None where it has to be relaxed first."""
    entries: list[Label | dict] = []
    origin = {"id": crystal.id, "dataset": crystal.dataset, "formula": crystal.formula}
    relaxed: Relaxed | None = None
    for ratio in volume_ratios:
        begun = time.process_time()
        try:
            potential = calculator(name, level_of_theory)
            if relaxed is None:
                given = symmetric_crystal(start.atoms if start else crystal.atoms)
                relaxed = relax(given, potential)
                growth = relaxed.crystal.atoms.get_volume() / given.atoms.get_volume()
                growth *= start.relaxed_volume_ratio if start else 1.0
            found = relaxed
            if ratio != RELAXED:
                found = relax(at_volume(relaxed.crystal, ratio), potential, fixed_cell=True)
                found = found._replace(converged=found.converged and relaxed.converged)
            constants = further.force_constants and ratio == RELAXED
            result = response(found.crystal, potential, constants)
            entries.append(_label(found, result, origin, ratio, growth, begun, further))
        except Exception as error:  # calculators raise whatever a crystal leads them to
            text = f"{type(error).__name__}: {error}"
            entries.append(origin | {"volume_ratio": ratio, "error": text})
            if relaxed is None:  # no copy of it either
                break
    return entries


def _label(
    relaxed: Relaxed,
    result: Response,
    origin: dict[str, str],
    volume_ratio: float,
    relaxed_volume_ratio: float,
    begun: float,
    further: Further,
) -> Label:
    """The label of a crystal with relaxed ions; `begun` is when work on it began."""
    atoms = relaxed.crystal.atoms
    return Label(
        **origin,
        volume_ratio=volume_ratio,
        relaxed_volume_ratio=relaxed_volume_ratio,
        numbers=atoms.numbers.tolist(),
        cell=atoms.cell.tolist(),
        positions=atoms.positions.tolist(),
        stiffness_gpa=result.relaxed.tolist(),
        clamped_gpa=result.clamped.tolist(),
        least_eigenvalue_gpa=float(np.linalg.eigvalsh(voigt_to_mandel(result.relaxed))[0]),
        least_force_constant=result.least_force_constant,
        misfit=result.misfit,
        converged=relaxed.converged,
        max_force=relaxed.max_force,
        stress_gpa=[float(relaxed.stress[pair]) for pair in VOIGT_PAIRS],
        evaluations=relaxed.evaluations + result.evaluations,
        seconds=time.process_time() - begun,
        force_constants=None if result.force_constants is None else result.force_constants.tolist(),
        internal_strain=result.internal_strain.tolist() if further.internal_strain else None,
    )
