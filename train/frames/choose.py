"""Choose the frames of the piezoelectric set by physics:

    python -m ase_eqtensor.train.frames.choose LABELS [--archive matminer-0.3.9.tar.gz]

Dipoles of bonds (bonds.py) make a tensor of what a potential says of each crystal (LABELS, by
label.py). They are learnt from the rows themselves, each read as it fits best, and judge rows of
compositions that they have not seen; polar crystals of the group 6mm, in which the frame that was
written is the structure's, tell the sign. Of every row the readings that fit about as well as the
best one remain. The file that the source of the set reads is written anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import torch
import typer
from rich.progress import track
from torch.nn.utils.rnn import pad_sequence

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.train.data.sources.frames import FRAMES, Frame, Row, write_frames
from ase_eqtensor.train.data.sources.matminer import MatminerSource
from ase_eqtensor.train.frames.bonds import BondDipoles, Bonds
from ase_eqtensor.train.frames.readings import LOWEST, Reading, readings
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets.piezoelectric import MOST_READINGS, NAME, NOISE, SMALL
from ase_eqtensor.train.teacher.labels import read_labels

PASSES, PARTS = 10, 5  # each row is judged so many times, by what other compositions taught
EPOCHS, BATCH, RATE, DECAY, AVERAGE = 80, 32, 3e-3, 1e-2, 0.99
# By how much readings of a row may differ in their relative errors while several count: it falls
# in the course of learning, so that a row that was read wrong at first may be read again.
LOOSE, STRICT = 0.15, 0.02
MARGIN = 0.2  # of relative error; readings no further behind the best remain
FAR = 1e3  # e/Å^2, of a reading that is none
TOLD = "6mm"  # the point group whose first reading is right


@dataclass(frozen=True, eq=False)
class Case:
    """One row: what it may stand for, and its bonds, if a potential knows them."""

    record: Record
    point_group: str
    readings: list[Reading]
    bonds: Bonds | None

    @property
    def known_bonds(self) -> Bonds:
        """The bonds of a row that has some."""
        assert self.bonds is not None
        return self.bonds

    @property
    def tensors(self) -> torch.Tensor:
        """(R, 3, 6) those that the row may stand for in learning."""
        known = self.readings[:1] if self.point_group == TOLD else self.readings
        return torch.from_numpy(np.stack([reading.tensor for reading in known])).float()


def cases(labels: Path, archive: Path | None) -> list[Case]:
    """The rows that have a frame at all: none of triclinic crystals, which no symmetry tells, and
    none whose tensor is zero."""
    known = {label.id: label for label in read_labels(labels)}
    found = []
    for record in MatminerSource(archive).piezoelectric():
        written = np.asarray(record.targets[NAME])
        point_group = analyse(record.atoms).point_group
        if point_group == LOWEST or np.linalg.norm(written) < NOISE:
            continue
        if not (read := readings(record.atoms, written)):
            continue
        bonds, label = None, known.get(record.source_id)
        if label is not None and label.internal_strain is not None:
            bonds = Bonds.of(label.atoms, np.array(label.internal_strain))
        if bonds is not None and not len(bonds.weight):
            bonds = None
        found.append(Case(record, point_group, read, bonds))
    return found


def learn(taught: Sequence[Case], seed: int) -> BondDipoles:
    """The dipoles that fit the readings of these rows best; torch's generator is left as it was."""
    random = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        dipoles = BondDipoles(taught[0].known_bonds.first.shape[1]).train()
        optimiser = torch.optim.AdamW(dipoles.parameters(), lr=RATE, weight_decay=DECAY)
        batches = -(-len(taught) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, RATE, total_steps=EPOCHS * batches, pct_start=0.1
        )
        mean = torch.optim.swa_utils.AveragedModel(
            dipoles, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE)
        )
        for epoch in range(EPOCHS):
            width = LOOSE * (1 - epoch / EPOCHS) + STRICT
            for batch in np.array_split(random.permutation(len(taught)), batches):
                chosen = [taught[i] for i in batch]
                said = dipoles(Bonds.joined([case.known_bonds for case in chosen]))
                may_be = pad_sequence([case.tensors for case in chosen], True, FAR)
                loss = _softly(errors(said, may_be), width).mean()
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(dipoles.parameters(), 1.0)
                optimiser.step()
                schedule.step()
                mean.update_parameters(dipoles)
    averaged = cast(BondDipoles, mean.module)
    return averaged.eval().requires_grad_(False)


def errors(predicted: torch.Tensor, readings: torch.Tensor) -> torch.Tensor:
    """(B, R) errors of tensors (B, 3, 6), were the truth one of `readings` (B, R, 3, 6)."""
    apart = (predicted[:, None] - readings).norm(dim=(-2, -1))
    return apart / (readings[:, :1].norm(dim=(-2, -1)) + SMALL)


def _softly(errors: torch.Tensor, width: float) -> torch.Tensor:
    """The least (B,) of several errors (B, R), others counting by how little they differ."""
    return (torch.softmax(-errors.detach() / width, 1) * errors).sum(1)


def expected(known: Sequence[Case], progress: bool = False) -> np.ndarray:
    """Tensors (n, 3, 6; Mandel) of n rows with bonds, by dipoles learnt without them."""
    formulas = [case.record.reduced_formula for case in known]
    distinct = sorted(set(formulas))
    total = np.zeros((len(known), 3, 6))
    for number in track(range(PASSES), "dipoles of bonds", disable=not progress):
        drawn = np.random.default_rng(number).integers(0, PARTS, len(distinct))
        part = dict(zip(distinct, drawn))
        for held in range(PARTS):
            asked = [i for i, formula in enumerate(formulas) if part[formula] == held]
            taught = [case for case, f in zip(known, formulas) if part[f] != held]
            dipoles = learn(taught, seed=PARTS * number + held)
            said = dipoles(Bonds.joined([known[i].known_bonds for i in asked]))
            total[asked] += said.double().numpy() / PASSES
    return total


def remaining(case: Case, tensor: np.ndarray | None) -> Row:
    """The frames of a row of which `tensor` (3, 6) is expected, None if nothing is."""
    read = case.readings
    behind = np.full(len(read), np.nan)
    if tensor is not None:
        stacked = np.stack([reading.tensor for reading in read])
        found = errors(torch.from_numpy(tensor[None]), torch.from_numpy(stacked[None]))[0].numpy()
        behind = found - found.min()
    kept = [i for i in np.argsort(behind, kind="stable") if not behind[i] > MARGIN]
    kept = [0] if case.point_group == TOLD else kept[:MOST_READINGS]
    frames = [Frame(read[i].rotation, float(behind[i])) for i in kept]
    return Row(case.record.source_id, case.record.reduced_formula, case.point_group, frames)


def main(
    labels: Annotated[Path, typer.Argument(help="Labels with internal strain.")],
    archive: Annotated[Path | None, typer.Option(help="Local copy of the source archive.")] = None,
    output: Annotated[Path, typer.Option(help="File to write.")] = FRAMES,
) -> list[Row]:
    """Choose the frames and write them."""
    rows = cases(labels, archive)
    known = [case for case in rows if case.bonds is not None]
    tensors = dict(zip(map(id, known), expected(known, progress=True)))
    chosen = [remaining(case, tensors.get(id(case))) for case in rows]
    write_frames(output, chosen)
    decided = sum(len(row.frames) == 1 for row in chosen)
    print(f"{output}: {len(chosen)} rows, {len(known)} with bonds, {decided} decided")
    return chosen


if __name__ == "__main__":
    typer.run(main)
