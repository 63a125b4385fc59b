"""The class study: do site-symmetry classes with their own weights pay, and for how many tensors?

    python -m studies.class_study crystals.db FOLDER [PLAN]

does the runs of a plan ("tensors", "energies", "taught" or "families") that FOLDER lacks. "taught"
adds to the stiffnesses from first principles those that a potential taught, five times as many;
"families" is the same without a family of crystals, which is then the test part. Several processes
may work on one folder, and a killed one is simply started again. Every run leaves FOLDER/NAME.npz
with the predictions for its val and test crystals; class_study_report.py compares them.

All arms of a (fold, seed, fraction) see the same crystals in the same order, so differences between
arms are paired. The arms:

    shared      no classes
    gate, full  see network/classes.py
    wide        shared, with more channels: as many parameters as gate
    shuffled    gate, but the labels are permuted among the orbits of all crystals
    crystal     gate, but every atom has the point group of its crystal for a label
    pairs       gate, with a label for each of the most frequent pairs of both groups
    local       gates mixed by what an atom's own surroundings tell of its class
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor.crystal.site_classes import SITE_CLASSES, class_index, rotation_types
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.network.model import Architecture
from ase_eqtensor.quantities.formation_energy import FORMATION_ENERGY
from ase_eqtensor.storage import complete_file
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.families.definitions import without
from ase_eqtensor.train.fitting.fit import TrainingSamples, fit
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.queue import undone
from ase_eqtensor.train.recipes.recipe import Recipe
from ase_eqtensor.train.scoring.outputs import compare
from ase_eqtensor.train.targets import DATASETS

ARMS = {
    "shared": {},
    "gate": {"class_mode": "gate"},
    "wide": {"hidden": "82x0e + 41x1o + 41x2e", "output": "82x0e + 41x2e + 41x4e"},
    "shuffled": {"class_mode": "gate"},
    "full": {"class_mode": "full"},
    "crystal": {"class_mode": "gate"},
    "pairs": {"class_mode": "gate"},
    "local": {"class_mode": "local"},
}
FIRST = ("shared", "gate", "wide", "shuffled", "full")  # arms of the first study
SECOND = ("shared", "gate", "full", "crystal", "shuffled", "pairs", "local")  # of the second
CLOSE = ("shared", "gate", "crystal", "pairs", "local")  # those that one seed could not tell apart
EPOCHS = {1.0: 30, 0.5: 40, 0.25: 60}  # by fraction of the training data
LEARNING_CURVE = ("shared", "gate", "full")
FORMS = ("shared", "gate", "local")  # compared on other targets and on families left out
FOLDS, SEEDS = (0, 1, 2), (0, 1, 2)
# the families with most tensors from first principles, 186 to 21 of them
LEFT_OUT = ("aluminium", "carbides and nitrides", "lithium", "oxygen", "halides")
AGAIN = ("oxygen", "halides")  # once more with another seed, because the first showed differences


@dataclass(frozen=True)
class Run:
    """One training of the study, on a `fraction` of the training compositions of a fold or, with a
    `family`, on all crystals but that."""

    arm: str
    fold: int
    seed: int
    fraction: float = 1.0
    family: str | None = None

    @property
    def name(self) -> str:
        part = self.family.replace(" ", "-") if self.family else f"fold{self.fold}"
        return f"{self.arm}-{part}-seed{self.seed}-{round(100 * self.fraction)}"

    def parts(self, samples: list[Sample]) -> dict[str, list[Sample]]:
        """The samples of train, val and test; quarantined ones are only tested on."""
        if self.family:
            rest, held = without(samples, self.family)
            return {"train": rest.train, "val": rest.val, "test": held}
        by_record = {id(s.record): s for s in samples}
        by_part = split([s.record for s in samples], self.fold)._asdict()
        parts = {part: [by_record[id(r)] for r in rows] for part, rows in by_part.items()}
        parts["val"] = [s for s in parts["val"] if not s.record.quarantine]
        return parts


@dataclass(frozen=True)
class Plan:
    """What is run: data sets, runs in order of importance, losses, epochs by fraction, noise."""

    datasets: tuple[str, ...]
    runs: tuple[Run, ...]
    loss: dict[str, float]
    epochs: dict[float, int]
    noise: float = 0.0


TAUGHT = Plan(
    ("elastic", "taught"),
    (
        *(Run(arm, f, 0) for f, arm in product(FOLDS, SECOND)),
        *(
            Run(arm, f, 0, fraction)
            for f, fraction, arm in product(FOLDS, (0.1, 0.3), LEARNING_CURVE)
        ),
        *(Run(arm, f, s) for s, f, arm in product(SEEDS[1:], FOLDS, CLOSE)),
    ),
    {},
    {1.0: 12, 0.3: 24, 0.1: 48},
    noise=0.03,
)
PLANS = {
    "tensors": Plan(
        ("elastic", "dielectric"),
        (
            *(Run(arm, f, s) for s, f, arm in product(SEEDS, FOLDS, FIRST)),
            *(
                Run(arm, f, s, fraction)
                for s, f, fraction, arm in product(SEEDS, FOLDS, (0.25, 0.5), LEARNING_CURVE)
            ),
        ),
        {},
        EPOCHS,
    ),
    "energies": Plan(
        (FORMATION_ENERGY.name,),
        tuple(Run(arm, f, 0) for arm, f in product(FORMS, FOLDS)),
        {FORMATION_ENERGY.name: 1.0},
        {1.0: 15},
    ),
    "taught": TAUGHT,
    "families": replace(
        TAUGHT,
        runs=(
            *(Run(arm, 0, 0, family=f) for f, arm in product(LEFT_OUT, FORMS)),
            *(Run(arm, 0, 1, family=f) for f, arm in product(AGAIN, FORMS)),
        ),
    ),
}


def recipe_of(run: Run, plan: Plan) -> Recipe:
    """The settings of the shipped recipe, with the plan's data sets, losses and epochs.

    (The runs of docs/class-study.md kept the best epoch on val.)
    """
    epochs = plan.epochs[run.fraction]
    return Recipe(
        datasets=list(plan.datasets),
        fold=run.fold,
        seed=run.seed,
        epochs=epochs,
        network=Architecture(**ARMS[run.arm]),
        loss=plan.loss,
        noise=plan.noise,
    )


def subset(samples: Sequence[Sample], fraction: float, seed: int) -> list[Sample]:
    """The samples of a fraction of the compositions; larger fractions contain smaller ones."""
    formulas = sorted({s.record.reduced_formula for s in samples})
    order = np.random.default_rng(seed).permutation(len(formulas))
    drawn = {formulas[i] for i in order[: round(fraction * len(formulas))]}
    return [s for s in samples if s.record.reduced_formula in drawn]


def shuffled_classes(samples: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """The same graphs with the class labels permuted at random among all their orbits.

    Atoms of an orbit keep a common label, and each label stays as frequent among orbits.
    """
    orbits = []
    for sample in samples:
        symmetry = analyse(sample.record.atoms)
        orbit = symmetry.orbit[symmetry.primitive_index]
        orbits.append(np.unique(orbit, return_index=True, return_inverse=True)[1:])
    labels = np.concatenate([s.graph.site_class[first] for s, (first, _) in zip(samples, orbits)])
    labels = np.random.default_rng(seed).permutation(labels)
    relabelled, start = [], 0
    for sample, (first, member) in zip(samples, orbits):
        by_orbit = labels[start : start + len(first)]
        start += len(first)
        relabelled.append(_with_classes(sample, by_orbit[member]))
    return relabelled


def crystal_classes(samples: Sequence[Sample]) -> list[Sample]:
    """The same graphs, every atom with the point group of its crystal for a label."""
    return [_with_classes(s, np.full_like(s.graph.site_class, _point_group(s))) for s in samples]


def pair_classes(samples: Sequence[Sample]) -> list[Sample]:
    """The same graphs with a label for each pair of the site's and the crystal's point group, as
    many of the most frequent pairs as there are classes; all others share one."""
    pairs = [[(site, _point_group(s)) for site in s.graph.site_class.tolist()] for s in samples]
    counts = Counter(pair for crystal in pairs for pair in crystal)
    kept = {pair: i for i, (pair, _) in enumerate(counts.most_common(len(SITE_CLASSES) - 1), 1)}
    return [
        _with_classes(s, np.array([kept.get(pair, 0) for pair in crystal]))
        for s, crystal in zip(samples, pairs)
    ]


def _point_group(sample: Sample) -> int:
    """Index into `SITE_CLASSES` of a crystal's point group."""
    rotations = analyse(sample.record.atoms).rotations
    return int(class_index(rotation_types(rotations).sum(0)[None])[0])


def _with_classes(sample: Sample, labels: np.ndarray) -> Sample:
    return replace(sample, graph=replace(sample.graph, site_class=labels))


RELABELLED = {
    "shuffled": shuffled_classes,
    "crystal": crystal_classes,
    "pairs": pair_classes,
}


def execute(run: Run, plan: Plan, parts: dict[str, list[Sample]], folder: Path) -> None:
    """Train one run, store its predictions and remove the scratch files of the training.

    `parts` are the samples of train, val and test.
    """
    recipe = recipe_of(run, plan)
    train = subset(parts["train"], run.fraction, run.seed)
    scratch = folder / f"{run.name}.tmp"
    start = time.perf_counter()
    samples = TrainingSamples(train, parts["val"])
    module = fit(samples, recipe, scratch, resume=True, progress=False)
    facts = {
        "minutes": (time.perf_counter() - start) / 60,
        "parameters": sum(p.numel() for p in module.parameters()),
        "train": len(train),
    }
    columns = {}
    for part in ("val", "test"):
        asked = [s for s in parts[part] if not DATASETS[s.record.dataset].derived]
        for name, output in compare(module.network, asked).items():
            ids = np.array([record.source_id for record in output.records])
            sides = {"predicted": output.predicted, "true": output.target, "id": ids}
            columns |= {f"{part}/{name}/{side}": values for side, values in sides.items()}
    with complete_file(folder / f"{run.name}.npz") as unfinished:
        np.savez_compressed(unfinished, facts=json.dumps(facts), **columns)
    shutil.rmtree(scratch)


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the runs, made if it is missing.")],
    plan_name: Annotated[
        str, typer.Argument(metavar="[PLAN]", help=f"{' or '.join(PLANS)}.")
    ] = "tensors",
) -> None:
    """Do the runs of a plan that no process has done or begun yet."""
    plan = PLANS[plan_name]
    folder.mkdir(parents=True, exist_ok=True)
    samples = prepare(read_database(database, list(plan.datasets)), Architecture().cutoff)
    labelled = {
        arm: relabel(samples)
        for arm, relabel in RELABELLED.items()
        if any(run.arm == arm for run in plan.runs)
    }
    runs = {folder / f"{run.name}.npz": run for run in plan.runs}
    for path in undone(runs):
        run = runs[path]
        execute(run, plan, run.parts(labelled.get(run.arm, samples)), folder)
        print(run.name, flush=True)


if __name__ == "__main__":
    typer.run(main)
