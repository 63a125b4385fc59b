"""Whether `eqtensor check` finds the mistake in tensors that were spoilt on purpose:

    python -m studies.check_cases crystals.db [--cases 200] [--half 1]

First-principles tensors of the database are written with one mistake each; a case counts if that
changes the tensor by more than a tenth of its size, because a stiffness with C44 = C55 = C66 is the
same in every Voigt order, and a smaller change is less than the model's own error. The answer is
right if the mistake is among the causes told (several may do the same), and the repaired tensor is
the true one within a tenth. Tensors are as their authors had them: curation took out of each what
broke the point group, and as much is put in again at random.

Predictions are by networks that left the composition out; beside them those of the whole model,
which has seen these crystals, and the answers without any model, by the point group alone. Half of
the compositions (0) decided about the constants of ase_eqtensor/checking, the other half (1) is
reported.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import spglib
import typer
from ase import Atoms

from ase_eqtensor.checking.expectation import LEAST
from ase_eqtensor.checking.frames import (
    ASE,
    BUILDS,
    CONVENTIONAL,
    PRIMITIVE,
    PYMATGEN,
    built,
    cells,
    named_frames,
)
from ase_eqtensor.checking.readings import FRAME, IONS, ORDER, ORDERS, TRANSPOSED, UNIT
from ase_eqtensor.checking.verdict import Verdict, verdicts
from ase_eqtensor.crystal.symmetry import DEFAULT_SYMPREC, analyse
from ase_eqtensor.models.store import Model, held_out, load_model
from ase_eqtensor.models.uncertainty import ErrorModel
from ase_eqtensor.network.ensemble import select
from ase_eqtensor.prediction.prediction import Prediction
from ase_eqtensor.prediction.predictor import Predictor
from ase_eqtensor.quantities import QUANTITIES, Quantity
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.folds import N_FOLDS, part_of
from ase_eqtensor.train.record import Record

SEED = 20
CHANGED = 0.1  # relative; a smaller change is no case
RESTORED = 0.1  # relative; a repaired tensor that is nearer to the true one is right
UNTOUCHED = 150  # tensors of each quantity
KINDS = (STIFFNESS, ELECTRONIC, TOTAL, PIEZOELECTRIC)


class Case(NamedTuple):
    """A crystal, its tensor as it is spoilt and as it is true, and the matrix (3, 3) that takes the
    frame of the record to that of the crystal."""

    atoms: Atoms
    written: np.ndarray
    true: np.ndarray
    turn: np.ndarray


@dataclass(frozen=True)
class Mistake:
    """name: for the table. cause: the right answer. quantities: of which it can be made.
    make: record, quantity, true tensor and random numbers to a case."""

    name: str
    cause: str
    quantities: tuple[Quantity, ...]
    make: Callable[[Record, Quantity, np.ndarray, np.random.Generator], Case]


def frame_of(record: Record, rng: np.random.Generator) -> np.ndarray:
    """One of the named frames of the crystal, (3, 3)."""
    frames = named_frames(record.atoms, analyse(record.atoms), DEFAULT_SYMPREC)
    return frames[rng.integers(len(frames))].matrix


def in_frame(record: Record, quantity: Quantity, true: np.ndarray, rng) -> Case:
    """Written in a named frame."""
    written = quantity.rotate(true, frame_of(record, rng))
    return Case(record.atoms, written, true, np.eye(3))


def transposed(record: Record, quantity: Quantity, true: np.ndarray, rng) -> Case:
    """Rotated by the transpose or, of piezoelectric tensors in turn, flattened by columns."""
    if quantity is PIEZOELECTRIC and rng.random() < 0.5:
        return Case(record.atoms, true.T.ravel().reshape(3, 6), true, np.eye(3))
    written = quantity.rotate(true, frame_of(record, rng).T)
    return Case(record.atoms, written, true, np.eye(3))


def in_order(record: Record, quantity: Quantity, true: np.ndarray, rng) -> Case:
    """In the order of VASP, or that of Abaqus."""
    order = list(list(ORDERS.values())[rng.integers(2)])
    if quantity.shape == (3, 3):
        rows, columns = np.array([0, 1, 2, 1, 0, 0]), np.array([0, 1, 2, 2, 2, 1])
        written = np.empty((3, 3))
        written[rows, columns] = written[columns, rows] = true[rows, columns][order]
    else:
        written = true[:, order]
        written = written[order] if quantity.shape == (6, 6) else written
    return Case(record.atoms, written, true, np.eye(3))


def in_unit(record: Record, quantity: Quantity, true: np.ndarray, rng) -> Case:
    """kbar for GPa, C/m^2 for e/Å^2."""
    factor = 10.0 if quantity is STIFFNESS else C_PER_M2
    return Case(record.atoms, factor * true, true, np.eye(3))


def clamped(record: Record, quantity: Quantity, true: np.ndarray, rng) -> Case:
    """eps_inf for the total permittivity."""
    electronic = np.asarray(record.targets[ELECTRONIC.name])
    return Case(record.atoms, as_written(record, ELECTRONIC, electronic, rng), true, np.eye(3))


def primitive(record: Record, quantity: Quantity, true: np.ndarray, rng) -> Case:
    """The structure is the conventional cell, and the tensor in the frame of the primitive one,
    each built from its lengths and angles in one way, that of ASE or that of pymatgen."""
    atoms = record.atoms
    bases = dict(cells(atoms, analyse(atoms), DEFAULT_SYMPREC))
    axes = BUILDS[(ASE, PYMATGEN)[rng.integers(2)]]
    turn = built(bases[CONVENTIONAL], *axes)
    crystal = (np.array(atoms.cell), atoms.get_scaled_positions(), atoms.numbers)
    cell, positions, numbers = spglib.standardize_cell(
        crystal, no_idealize=True, symprec=DEFAULT_SYMPREC
    )
    conventional = Atoms(numbers, scaled_positions=positions, cell=cell @ turn.T, pbc=True)
    written = quantity.rotate(true, built(bases[PRIMITIVE], *axes))
    return Case(conventional, written, quantity.rotate(true, turn), turn)


MISTAKES = (
    Mistake("wrong frame", FRAME, KINDS, in_frame),
    Mistake("swapped Voigt order", ORDER, KINDS, in_order),
    Mistake("kbar for GPa, C/m² for e/Å²", UNIT, (STIFFNESS, PIEZOELECTRIC), in_unit),
    Mistake("clamped for relaxed (eps)", IONS, (TOTAL,), clamped),
    Mistake("transposed", TRANSPOSED, KINDS, transposed),
    Mistake("primitive for conventional", FRAME, KINDS, primitive),
)


def as_written(record: Record, quantity: Quantity, true: np.ndarray, rng) -> np.ndarray:
    """The tensor with a part that breaks the point group as much as it did before curation."""
    if record.frame_deviation < 1e-6:
        return true
    array = quantity.from_ase(true)
    noise = rng.normal(size=array.shape)
    noise = noise + noise.T if array.shape[0] == array.shape[1] else noise
    noise = noise - quantity.form.rotate(noise, analyse(record.atoms).rotations).mean(axis=0)
    size = np.linalg.norm(noise)
    scale = record.frame_deviation * np.linalg.norm(array) / size if size > 1e-9 else 0.0
    return quantity.to_ase(array + scale * noise)


def blind(model: Model, fold: int) -> Model:
    """The members that left a fold out, of the model or of those by which it is judged."""
    model = held_out(model)
    members = model.members_without(fold)
    card = msgspec.structs.replace(model.card, members=[model.card.members[i] for i in members])
    blinded = replace(model, network=select(model.network, members), card=card)
    errors = model.error_model
    assert errors is not None and errors.fingerprints is not None
    vars(blinded)["error_model"] = ErrorModel.of(card, errors.fingerprints.select(members))
    return blinded


def predictions(model: Model, records: list[Record], out_of_fold: bool) -> list[Prediction]:
    """One for each record."""
    if not out_of_fold:
        return Predictor(model).predict([record.atoms for record in records])
    found: dict[int, Prediction] = {}
    for fold in range(N_FOLDS):
        own = [i for i, record in enumerate(records) if record.fold == fold]
        predictor = Predictor(blind(model, fold))
        found.update(zip(own, predictor.predict([records[i].atoms for i in own])))
    return [found[i] for i in range(len(records))]


def records_of(database: str, half: int) -> list[Record]:
    """The rows with tensors of a half of the compositions."""
    names = {quantity.name for quantity in KINDS}
    return [
        record
        for record in read_database(database)
        if names & record.targets.keys()
        and record.at_rest
        and not record.quarantine
        and part_of(record.reduced_formula, 2) == half
    ]


def constructed(
    records: list[Record], count: int, rng: np.random.Generator
) -> Iterator[tuple[Mistake, Quantity, int, Case]]:
    """Cases, mistakes and quantities in turn; each crystal once for one mistake and quantity."""
    turns = {
        (mistake.name, quantity.name): iter(rng.permutation(len(records)))
        for mistake in MISTAKES
        for quantity in mistake.quantities
    }
    for k in range(count):
        mistake = MISTAKES[k % len(MISTAKES)]
        quantity = mistake.quantities[k // len(MISTAKES) % len(mistake.quantities)]
        for i in turns[mistake.name, quantity.name]:
            if quantity.name not in records[i].targets:
                continue
            true = np.asarray(records[i].targets[quantity.name])
            if np.linalg.norm(quantity.from_ase(true)) < 5 * LEAST:
                continue
            true = as_written(records[i], quantity, true, rng)
            case = mistake.make(records[i], quantity, true, rng)
            if quantity.relative_error(case.written, case.true) > CHANGED:
                yield mistake, quantity, int(i), case
                break


def turned(prediction: Prediction, turn: np.ndarray) -> Prediction:
    """The prediction for the crystal in another frame."""
    tensors = {
        name: QUANTITIES[name].rotate(tensor, turn) for name, tensor in prediction.tensors.items()
    }
    return replace(prediction, tensors=tensors)


def answer(verdict: Verdict, mistake: Mistake, quantity: Quantity, case: Case) -> str:
    """ "right", or what the tensor was called."""
    if not verdict.alarm or not verdict.causes:
        return verdict.status
    if mistake.cause not in verdict.causes:
        return verdict.causes[0]
    if verdict.repaired is None:
        return "right"
    near = quantity.relative_error(verdict.repaired, case.true) < RESTORED
    return "right" if near else f"another {mistake.cause}"


def main(
    database: Annotated[str, typer.Argument(help="Training database of `eqtensor data build`.")],
    cases: Annotated[int, typer.Option(help="Constructed cases.")] = 200,
    half: Annotated[int, typer.Option(help="Of the compositions: 1, or 0, which tuned.")] = 1,
    model: Annotated[str | None, typer.Option(help="Shipped model or .safetensors file.")] = None,
) -> None:
    """Print tables of answers by mistake, and of false alarms."""
    records = records_of(database, half)
    loaded, rng = load_model(model), np.random.default_rng(SEED)
    said = {seen: predictions(loaded, records, not seen) for seen in (False, True)}
    answers: dict[str, list[list[str]]] = {mistake.name: [] for mistake in MISTAKES}
    for mistake, quantity, i, case in constructed(records, cases, rng):
        judges = [turned(said[seen][i], case.turn) for seen in (False, True)]
        written = {quantity.name: case.written}
        answers[mistake.name].append(
            [
                answer(found[quantity.name], mistake, quantity, case)
                for judge in (*judges, None)
                for found in [verdicts(case.atoms, written, judge, DEFAULT_SYMPREC)]
            ]
        )
    rows = []
    everything = [row for given in answers.values() for row in given]
    for name, given in (*answers.items(), ("all", everything)):
        right = [sum(row[k] == "right" for row in given) for k in range(3)]
        rest = Counter(row[0] for row in given if row[0] != "right").most_common()
        told = ", ".join(f"{called} {count}" for called, count in rest)
        share = [f"{100 * r / max(len(given), 1):.0f} %" for r in right]
        rows.append([name, f"{len(given)}", *share, told if name != "all" else ""])
    header = ["", "cases", "right", "by a model that has seen it", "by the point group alone"]
    print(table([*header, "the rest was called"], rows))
    usual = Counter(mistake.cause for mistake in MISTAKES for _ in answers[mistake.name])
    print(f"always {usual.most_common(1)[0][0]}: {100 * max(usual.values()) / cases:.0f} %\n")

    rows, total = [], np.zeros(3)
    for quantity in KINDS:
        own = [i for i in rng.permutation(len(records)) if quantity.name in records[i].targets]
        called: list[Counter[str]] = [Counter(), Counter()]
        for i in own[:UNTOUCHED]:
            true = np.asarray(records[i].targets[quantity.name])
            written = {quantity.name: as_written(records[i], quantity, true, rng)}
            for k, seen in enumerate((False, True)):
                (found,) = verdicts(
                    records[i].atoms, written, said[seen][i], DEFAULT_SYMPREC
                ).values()
                called[k][(found.causes or (found.status,))[0] if found.alarm else ""] += 1
        count = len(own[:UNTOUCHED])
        alarms = [count - found[""] for found in called]
        total += [count, *alarms]
        rest = ", ".join(f"{name} {n}" for name, n in called[0].most_common() if name)
        shares = [f"{100 * alarm / count:.1f} %" for alarm in alarms]
        rows.append([quantity.display.short, f"{count}", *shares, rest])
    shares = [f"{100 * alarm / total[0]:.1f} %" for alarm in total[1:]]
    rows.append(["all", f"{total[0]:.0f}", *shares, ""])
    print(table(["correct tensors", "", "called wrong", "by a model that has seen it", "as"], rows))


if __name__ == "__main__":
    typer.run(main)
