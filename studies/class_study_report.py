"""Tables and figures of the class study, from the runs of `studies/class_study.py`:

    python -m studies.class_study_report FOLDER crystals.db docs/class-study [val or test]

writes tables-PART.md, arms-PART.svg and learning-PART.svg for the val parts, by which choices are
made, or, once these stand, for the test parts. Runs of the plan "energies" are looked for in
FOLDER-energies. Differences are paired: the same crystal, fold and
seed with and without classes. The unit of the bootstrap is the crystal, averaged over seeds.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from ase_eqtensor.crystal.symmetry import SITE_CLASSES, analyse
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.metrics import anisotropic_skill, relative_errors, with_interval
from studies.class_study import ARMS, EPOCHS, FOLDS, LEARNING_CURVE, SEEDS, Run

TARGETS = {"stiffness": "elastic", "electronic": "dielectric", "dielectric": "dielectric"}
LABELS = {"stiffness": "stiffness", "electronic": "eps_inf", "dielectric": "eps_total"}
POWER = 2.8  # standard errors: a difference found at 5 % significance in 80 % of studies
RARE = 25  # crystals; a class in fewer of them is called rare


@dataclass(frozen=True)
class Results:
    """What the runs in a folder predicted."""

    folder: Path

    @cache  # noqa: B019  a report is one process
    def load(self, run: Run) -> dict | None:
        path = self.folder / f"{run.name}.npz"
        return dict(np.load(path)) if path.exists() else None

    def facts(self, run: Run) -> dict | None:
        data = self.load(run)
        return None if data is None else json.loads(str(data["facts"]))

    def errors(
        self, arm: str, target: str, part: str, fraction: float = 1.0
    ) -> dict[tuple[int, int], dict[str, float]]:
        """{(fold, seed): {id: relative error}} of the runs that exist."""
        out = {}
        for fold, seed in product(FOLDS, SEEDS):
            data = self.load(Run(arm, fold, seed, fraction))
            if data is not None:
                pre = f"{part}/{target}"
                values = relative_errors(data[f"{pre}/predicted"], data[f"{pre}/true"])
                out[fold, seed] = dict(zip(data[f"{pre}/id"].tolist(), values.tolist()))
        return out

    def figures(self, arm: str, target: str, part: str, fraction: float = 1.0) -> dict | None:
        """Median, mean and skill, each as (mean, standard deviation) over folds and seeds."""
        rows = []
        for fold, seed in product(FOLDS, SEEDS):
            data = self.load(Run(arm, fold, seed, fraction))
            if data is not None:
                p, t = (data[f"{part}/{target}/{side}"] for side in ("predicted", "true"))
                e = relative_errors(p, t)
                rows.append((np.median(e), e.mean(), anisotropic_skill(p, t)["all"]))
        if not rows:
            return None
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        names = ("median", "mean", "skill")
        return {name: (m, s) for name, m, s in zip(names, mean, spread)} | {"runs": len(rows)}


def paired(a: dict, b: dict) -> np.ndarray:
    """Differences a - b of the errors, averaged over the seeds that both have; one per crystal."""
    collected: dict[tuple[int, str], list[float]] = {}
    for key in a.keys() & b.keys():
        for crystal in a[key].keys() & b[key].keys():
            collected.setdefault((key[0], crystal), []).append(a[key][crystal] - b[key][crystal])
    return np.array([np.mean(v) for _, v in sorted(collected.items())])


def seed_noise(errors: dict) -> float:
    """Standard error of a paired mean difference between two arms that are the same: from the
    spread of mean errors between seeds of one fold."""
    by_fold: dict[int, list[float]] = {}
    for (fold, _), one in errors.items():
        by_fold.setdefault(fold, []).append(float(np.mean(list(one.values()))))
    variances = [np.var(v, ddof=1) for v in by_fold.values() if len(v) > 1]
    return float(np.sqrt(2 * np.mean(variances) / len(errors))) if variances else float("nan")


def arm_table(results: Results, part: str) -> str:
    rows = []
    for arm in ARMS:
        figures = {t: results.figures(arm, t, part) for t in TARGETS}
        if figures["stiffness"] is None:
            continue
        facts = [results.facts(Run(arm, f, s)) for f, s in product(FOLDS, SEEDS)]
        facts = [f for f in facts if f]
        minutes = np.median([f["minutes"] for f in facts])
        cells = [arm, f"{facts[0]['parameters']:,}", str(len(facts)), f"{minutes:.1f}"]
        for one in figures.values():
            cells.append(" / ".join(f"{one[k][0]:.3f}" for k in ("median", "mean")))
            cells.append(f"{one['skill'][0]:.2f} ± {one['skill'][1]:.2f}")
        rows.append(cells)
    columns = [c for t in LABELS.values() for c in (f"{t} median / mean", "skill")]
    return table(["arm", "parameters", "runs", "minutes", *columns], rows)


def difference_table(results: Results, part: str, fraction: float = 1.0) -> str:
    rows = []
    for arm in ARMS:
        cells = [arm]
        for target in TARGETS:
            own, base = (results.errors(a, target, part, fraction) for a in (arm, "shared"))
            if arm == "shared" or not own:
                continue
            values = paired(own, base)
            mean = with_interval(values)
            noise = seed_noise({k: v for k, v in base.items() if k in own})
            cells.append("{value:+.4f} [{low:+.4f}, {high:+.4f}]".format(**mean))
            cells.append(f"{mean['value'] / noise:+.1f}" if noise > 0 else "-")
        if len(cells) > 1:
            rows.append(cells)
    columns = [c for t in LABELS.values() for c in (f"{t}: difference [95 %]", "in seed errors")]
    return table(["arm - shared", *columns], rows)


def detectable(results: Results, part: str) -> str:
    rows = []
    for target, label in LABELS.items():
        base = results.errors("shared", target, part)
        if base:
            noise = seed_noise(base)
            rows.append([label, f"{noise:.4f}", f"{POWER * noise:.4f}"])
    return table(["target", "seed error of a paired mean difference", "smallest detectable"], rows)


def learning_table(results: Results, part: str) -> str:
    rows = []
    for fraction, arm in product(sorted(EPOCHS), LEARNING_CURVE):
        figures = {t: results.figures(arm, t, part, fraction) for t in TARGETS}
        if figures["stiffness"] is None:
            continue
        cells = [f"{100 * fraction:.0f} %", arm, str(figures["stiffness"]["runs"])]
        cells += [f"{f['median'][0]:.3f} / {f['mean'][0]:.3f}" for f in figures.values()]
        cells += [f"{f['skill'][0]:.2f}" for f in figures.values()]
        rows.append(cells)
    names = list(LABELS.values())
    columns = [f"{n} median / mean" for n in names] + [f"{n} skill" for n in names]
    return table(["training data", "arm", "runs", *columns], rows)


def group_table(results: Results, records: list[Record], part: str, group: Callable) -> str:
    """Mean relative error of the stiffness and eps_total by a property of the crystal."""
    rows = []
    for target in ("stiffness", "dielectric"):
        label = {
            (fold, r.source_id): group(r, fold)
            for fold in FOLDS
            for r in _part(records, target, fold, part)
        }
        for name in sorted(set(label.values())):
            cells = [LABELS[target], name]
            for arm in ARMS:
                errors = results.errors(arm, target, part)
                values = [
                    error
                    for (fold, _), one in errors.items()
                    for crystal, error in one.items()
                    if label[fold, crystal] == name
                ]
                cells.append(f"{np.mean(values):.3f}" if values else "-")
            crystals = len({crystal for (_, crystal), found in label.items() if found == name})
            rows.append([*cells, str(crystals)])
    return table(["target", "group", *ARMS, "crystals"], rows)


def energy_table(results: Results, part: str) -> str:
    """Mean absolute error of the formation energy, eV/atom, by fold."""
    rows = []
    for arm in LEARNING_CURVE:
        found = [results.load(Run(arm, fold, 0)) for fold in FOLDS]
        p, t = (f"{part}/formation_energy/{side}" for side in ("predicted", "true"))
        errors = [np.abs(data[p] - data[t]).mean() for data in found if data]
        if errors:
            rows.append([arm, *(f"{e:.4f}" for e in errors), f"{np.mean(errors):.4f}"])
    return table(["arm", *(f"fold {f}" for f in FOLDS), "mean"], rows)


def _part(records: list[Record], target: str, fold: int, part: str) -> list[Record]:
    return [r for r in getattr(split(records, fold), part) if r.dataset == TARGETS[target]]


def rarest_class(records: list[Record]) -> Callable:
    """Groups a crystal by how many training crystals of its data set share its rarest class."""
    classes = {id(r): set(analyse(r.atoms).site_class.tolist()) for r in records}
    counts = {}
    for fold, dataset in product(FOLDS, set(TARGETS.values())):
        count = np.zeros(len(SITE_CLASSES), dtype=int)
        for r in split(records, fold).train:
            if r.dataset == dataset:
                count[list(classes[id(r)])] += 1
        counts[fold, dataset] = count

    def group(record: Record, fold: int) -> str:
        fewest = min(counts[fold, record.dataset][list(classes[id(record)])])
        return f"rarest class in < {RARE}" if fewest < RARE else f"rarest class in >= {RARE}"

    return group


def draw(results: Results, part: str, folder: Path) -> None:
    """arms-PART.svg: paired differences; learning-PART.svg: error against training data."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True)
    for axis, (target, label) in zip(axes, LABELS.items()):
        base = results.errors("shared", target, part)
        names = [a for a in ARMS if a != "shared" and results.errors(a, target, part)]
        for y, arm in enumerate(names):
            mean = with_interval(paired(results.errors(arm, target, part), base))
            axis.plot([mean["low"], mean["high"]], [y, y], color="tab:blue")
            axis.plot(mean["value"], y, "o", color="tab:blue")
        axis.axvline(0, color="grey", linewidth=0.8)
        axis.set(title=label, xlabel="mean relative error, arm - shared")
        axis.set_yticks(range(len(names)), names)
    figure.tight_layout()
    figure.savefig(folder / f"arms-{part}.svg")
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
    for axis, (target, label) in zip(axes, LABELS.items()):
        for arm in LEARNING_CURVE:
            points = {f: results.figures(arm, target, part, f) for f in sorted(EPOCHS)}
            known = {f: p["mean"] for f, p in points.items() if p}
            x = [100 * f for f in known]
            y, s = zip(*known.values()) if known else ((), ())
            axis.errorbar(x, y, s, marker="o", capsize=3, label=arm)
        axis.set(title=label, xlabel="training data, %", ylabel="mean relative error")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(folder / f"learning-{part}.svg")


def main(runs: str, database: str, output: str, part: str = "val") -> None:
    results, folder = Results(Path(runs)), Path(output)
    records = read_database(Path(database), ["elastic", "dielectric"])
    folder.mkdir(parents=True, exist_ok=True)
    sections = {
        "Arms": arm_table(results, part),
        "Paired differences": difference_table(results, part),
        "What could have been seen": detectable(results, part),
        "Learning curves": learning_table(results, part),
        "Paired differences, half of the training data": difference_table(results, part, 0.5),
        "Paired differences, a quarter of it": difference_table(results, part, 0.25),
        "Mean relative error by crystal system": group_table(
            results, records, part, lambda record, _: record.crystal_system
        ),
        "Mean relative error by rarity of the class": group_table(
            results, records, part, rarest_class(records)
        ),
    }
    energies = Results(Path(f"{runs}-energies"))
    sections["Formation energy: mean absolute error, eV/atom"] = energy_table(energies, part)
    text = f"<!-- written by studies/class_study_report.py: {part} parts of folds 0, 1, 2 -->\n"
    text += "".join(f"\n## {title}\n\n{body}" for title, body in sections.items())
    (folder / f"tables-{part}.md").write_text(text)
    draw(results, part, folder)
    print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
