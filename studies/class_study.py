"""The class study: do site-symmetry classes with their own weights pay when tensors are scarce?

    python -m studies.class_study crystals.db FOLDER [PLAN]

runs what is missing of a plan ("tensors" or "energies") in FOLDER; several processes may work on
the same folder, and a killed one is simply started again. Every run leaves FOLDER/NAME.npz with the
predictions for its val and test crystals; `studies/class_study_report.py` compares them.

All arms of a (fold, seed, fraction) see the same crystals in the same order, so differences between
arms are paired. The arms:

    shared    no classes
    gate, full   see network/classes.py
    wide      shared, with more channels: as many parameters as gate
    shuffled  gate, but the labels are dealt out anew over the orbits of all crystals
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.network.model import Architecture
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.fitting.fit import TrainingSamples, fit
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.recipes.recipe import LossWeights, Recipe
from ase_eqtensor.train.scoring.outputs import compare

ARMS = {
    "shared": {},
    "gate": {"class_mode": "gate"},
    "wide": {"hidden": "82x0e + 41x1o + 41x2e", "output": "82x0e + 41x2e + 41x4e"},
    "shuffled": {"class_mode": "gate"},
    "full": {"class_mode": "full"},
}
EPOCHS = {1.0: 30, 0.5: 40, 0.25: 60}  # by fraction of the training data
LEARNING_CURVE = ("shared", "gate", "full")
FOLDS, SEEDS = (0, 1, 2), (0, 1, 2)


@dataclass(frozen=True)
class Run:
    """One training of the study; `fraction` of the training crystals."""

    arm: str
    fold: int
    seed: int
    fraction: float = 1.0

    @property
    def name(self) -> str:
        return f"{self.arm}-fold{self.fold}-seed{self.seed}-{round(100 * self.fraction)}"


@dataclass(frozen=True)
class Plan:
    """What is run: data sets, runs in order of importance, and losses."""

    datasets: tuple[str, ...]
    runs: tuple[Run, ...]
    loss: LossWeights
    epochs: dict[float, int]


PLANS = {
    "tensors": Plan(
        ("elastic", "dielectric"),
        (
            *(Run(arm, f, s) for s, f, arm in product(SEEDS, FOLDS, ARMS)),
            *(
                Run(arm, f, s, part)
                for s, f, part, arm in product(SEEDS, FOLDS, (0.25, 0.5), LEARNING_CURVE)
            ),
        ),
        LossWeights(),
        EPOCHS,
    ),
    "energies": Plan(
        ("formation_energy",),
        tuple(Run(arm, f, 0) for f, arm in product(FOLDS, LEARNING_CURVE)),
        LossWeights(formation_energy=1.0),
        {1.0: 15},
    ),
}


def recipe_of(run: Run, plan: Plan) -> Recipe:
    """The shipped recipe's settings, on tensors alone; the best epoch on val is kept."""
    epochs = plan.epochs[run.fraction]
    return Recipe(
        datasets=list(plan.datasets),
        fold=run.fold,
        seed=run.seed,
        epochs=epochs,
        patience=epochs,
        network=Architecture(**ARMS[run.arm]),
        loss=plan.loss,
    )


def subset(samples: Sequence[Sample], fraction: float, seed: int) -> list[Sample]:
    """A fraction of the compositions; smaller fractions are contained in larger ones."""
    formulas = sorted({s.record.reduced_formula for s in samples})
    order = np.random.default_rng(seed).permutation(len(formulas))
    kept = {formulas[i] for i in order[: round(fraction * len(formulas))]}
    return [s for s in samples if s.record.reduced_formula in kept]


def shuffled_classes(samples: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """The same graphs with the class labels of all their orbits dealt out anew at random.

    Atoms of an orbit keep a common label, and each label stays as frequent among orbits.
    """
    orbits = []
    for sample in samples:
        symmetry = analyse(sample.record.atoms)
        orbit = symmetry.orbit[symmetry.primitive_index]
        orbits.append(np.unique(orbit, return_index=True, return_inverse=True)[1:])
    labels = np.concatenate([s.graph.site_class[first] for s, (first, _) in zip(samples, orbits)])
    labels = np.random.default_rng(seed).permutation(labels)
    out, start = [], 0
    for sample, (first, member) in zip(samples, orbits):
        own = labels[start : start + len(first)]
        start += len(first)
        out.append(replace(sample, graph=replace(sample.graph, site_class=own[member])))
    return out


def execute(run: Run, plan: Plan, parts: dict[str, list[Sample]], folder: Path) -> None:
    """Train one run and store its predictions; the scratch files of the training are removed."""
    recipe = recipe_of(run, plan)
    train = subset(parts["train"], run.fraction, run.seed)
    scratch = folder / f"{run.name}.tmp"
    start = time.perf_counter()
    both = TrainingSamples(train, parts["val"])
    module = fit(both, recipe, scratch, resume=True, progress=False)
    facts = {
        "minutes": (time.perf_counter() - start) / 60,
        "parameters": sum(p.numel() for p in module.parameters()),
        "train": len(train),
    }
    columns = {}
    for part in ("val", "test"):
        for name, found in compare(module.network, parts[part]).items():
            ids = np.array([record.source_id for record in found.records])
            sides = {"predicted": found.predicted, "true": found.target, "id": ids}
            columns |= {f"{part}/{name}/{side}": values for side, values in sides.items()}
    np.savez_compressed(folder / f"{run.name}.part.npz", facts=json.dumps(facts), **columns)
    os.replace(folder / f"{run.name}.part.npz", folder / f"{run.name}.npz")
    shutil.rmtree(scratch)


def main(database: str, folder: str, plan_name: str = "tensors") -> None:
    """Run what nobody has done or begun yet."""
    plan, where = PLANS[plan_name], Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    records = read_database(Path(database), list(plan.datasets))
    samples = prepare(records, Architecture().cutoff)
    dealt = shuffled_classes(samples) if any(r.arm == "shuffled" for r in plan.runs) else samples
    for run in plan.runs:
        lock = FileLock(where / f"{run.name}.lock")  # the system frees it if the process dies
        # where another process is at it, there is nothing to do
        with suppress(Timeout), lock.acquire(blocking=False):
            if (where / f"{run.name}.npz").exists():
                continue
            chosen = dealt if run.arm == "shuffled" else samples
            by_record = {id(s.record): s for s in chosen}
            by_part = split(records, run.fold)._asdict()
            parts = {part: [by_record[id(r)] for r in rows] for part, rows in by_part.items()}
            parts["val"] = [s for s in parts["val"] if not s.record.quarantine]
            execute(run, plan, parts, where)
            print(run.name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
