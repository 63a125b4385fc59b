"""What the runs of `studies/class_study.py` predicted, and their differences, paired by crystal."""

import json
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from ase_eqtensor.quantities import QUANTITIES
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.notation import of_symmetric
from ase_eqtensor.train.targets.metrics import anisotropic_skill, relative_errors
from ase_eqtensor.train.targets.permittivity import DIELECTRIC
from ase_eqtensor.train.targets.stiffness import ELASTIC
from studies.class_study import FOLDS, SEEDS, Plan, Run

# the target of each tensor, and the data set that teaches it
TARGETS = {
    target.name: dataset.name for dataset in (ELASTIC, DIELECTRIC) for target in dataset.targets
}
LABELS = {name: QUANTITIES[name].display.short for name in TARGETS}


@dataclass(frozen=True, eq=False)
class Results:
    """What the runs of a plan in a folder predicted."""

    folder: Path
    plan: Plan

    @property
    def targets(self) -> dict[str, str]:
        """Target -> its short name, of the tensors from first principles."""
        return {
            target: LABELS[target]
            for target, dataset in TARGETS.items()
            if dataset in self.plan.datasets
        }

    @property
    def fractions(self) -> list[float]:
        """Of the training data, ascending."""
        return sorted(self.plan.epochs)

    @cache  # noqa: B019  a report is one process
    def load(self, run: Run) -> dict | None:
        path = self.folder / f"{run.name}.npz"
        if not path.exists():
            return None
        # kept runs are rounded to half precision, in which nothing is computed
        halves = np.load(path).items()
        return {name: x.astype(float) if x.dtype == np.float16 else x for name, x in halves}

    def facts(self, run: Run) -> dict | None:
        data = self.load(run)
        return None if data is None else json.loads(str(data["facts"]))

    def errors(
        self, arm: str, target: str, part: str, fraction: float = 1.0
    ) -> dict[tuple[int, int], dict[str, float]]:
        """{(fold, seed): {id: relative error}} of the runs that exist."""
        out = {}
        for fold, seed in product(FOLDS, SEEDS):
            by_crystal = self.errors_of(Run(arm, fold, seed, fraction), target, part)
            if by_crystal is not None:
                out[fold, seed] = by_crystal
        return out

    def errors_without(self, arm: str, family: str) -> dict[tuple[int, int], dict[str, float]]:
        """{(0, seed): {id: relative error}} of stiffnesses of a family by networks without it."""
        runs = {seed: Run(arm, 0, seed, family=family) for seed in SEEDS}
        errors = {seed: self.errors_of(run, STIFFNESS.name, "test") for seed, run in runs.items()}
        return {(0, seed): of_run for seed, of_run in errors.items() if of_run is not None}

    def errors_of(self, run: Run, target: str, part: str) -> dict[str, float] | None:
        """{id: relative error} of a run, None if it does not exist."""
        data = self.load(run)
        if data is None:
            return None
        predicted, true, ids = (data[f"{part}/{target}/{x}"] for x in ("predicted", "true", "id"))
        return dict(zip(ids.tolist(), relative_errors(predicted, true).tolist()))

    def ensemble_errors(
        self, arm: str, target: str, part: str
    ) -> dict[tuple[int, int], dict[str, float]]:
        """{(fold, 0): {id: relative error}} of the mean of logarithms over all seeds of a fold;
        of folds that have them all."""
        out = {}
        for fold in FOLDS:
            runs = [self.load(Run(arm, fold, seed)) for seed in SEEDS]
            if None in runs:
                continue
            said = [of_symmetric(np.log, run[f"{part}/{target}/predicted"]) for run in runs]
            mean = of_symmetric(np.exp, np.mean(said, axis=0))
            errors = relative_errors(mean, runs[0][f"{part}/{target}/true"])
            out[fold, 0] = dict(zip(runs[0][f"{part}/{target}/id"].tolist(), errors.tolist()))
        return out

    def figures(self, arm: str, target: str, part: str, fraction: float = 1.0) -> dict | None:
        """Median, mean and skill, each as (mean, standard deviation) over folds and seeds."""
        rows = []
        for fold, seed in product(FOLDS, SEEDS):
            data = self.load(Run(arm, fold, seed, fraction))
            if data is not None:
                predicted, true = (
                    data[f"{part}/{target}/{side}"] for side in ("predicted", "true")
                )
                errors = relative_errors(predicted, true)
                skill = anisotropic_skill(QUANTITIES[target].form, predicted, true)["all"]
                rows.append((np.median(errors), errors.mean(), skill))
        if not rows:
            return None
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        names = ("median", "mean", "skill")
        return {name: (m, s) for name, m, s in zip(names, mean, spread)} | {"runs": len(rows)}


def paired(a: dict, b: dict) -> np.ndarray:
    """Differences a - b of two `Results.errors`, (crystals,) in order of fold and id.

    Each is averaged over the seeds that a and b have in common.
    """
    differences: dict[tuple[int, str], list[float]] = {}
    for key in a.keys() & b.keys():
        for crystal in a[key].keys() & b[key].keys():
            differences.setdefault((key[0], crystal), []).append(a[key][crystal] - b[key][crystal])
    return np.array([np.mean(v) for _, v in sorted(differences.items())])


def seed_noise(errors: dict) -> float:
    """Standard error that the paired mean difference of two equal arms would have.

    From the spread, between the seeds of a fold, of the mean of `errors`.
    """
    by_fold: dict[int, list[float]] = {}
    for (fold, _), by_crystal in errors.items():
        by_fold.setdefault(fold, []).append(float(np.mean(list(by_crystal.values()))))
    variances = [np.var(v, ddof=1) for v in by_fold.values() if len(v) > 1]
    return float(np.sqrt(2 * np.mean(variances) / len(errors))) if variances else float("nan")
