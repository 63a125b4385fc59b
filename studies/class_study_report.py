"""Tables and figures of the class study, from the runs of `studies/class_study.py`:

    python -m studies.class_study_report FOLDER crystals.db docs/class-study [val or test] [PLAN]

writes tables-PART.md, arms-PART.svg and learning-PART.svg for the val parts, on which choices are
made, or, once the choices are final, for the test parts. Runs of the plan "energies" are looked for
in FOLDER-energies, those of "families", scored with the test parts, in FOLDER-families. Only
tensors from first principles are compared. Differences are paired: the same crystal, fold and seed
with and without classes. The bootstrap draws crystals, each with its difference averaged over
seeds.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ase_eqtensor.crystal.site_classes import SITE_CLASSES
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities.permittivity import TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.card import table
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets.metrics import with_interval
from studies.class_study import (
    ARMS,
    FOLDS,
    FORMS,
    LEARNING_CURVE,
    LEFT_OUT,
    PLANS,
    SEEDS,
    Run,
)
from studies.class_study_results import LABELS, TARGETS, Results, paired, seed_noise

POWER = 2.8  # standard errors: such a difference is significant at 5 % in 80 % of studies
RARE = 25  # crystals; a class in fewer of them is called rare


def arm_table(results: Results, part: str) -> str:
    rows = []
    for arm in ARMS:
        figures = {t: results.figures(arm, t, part) for t in results.targets}
        if figures[STIFFNESS.name] is None:
            continue
        facts = [results.facts(Run(arm, f, s)) for f, s in product(FOLDS, SEEDS)]
        facts = [f for f in facts if f]
        minutes = np.median([f["minutes"] for f in facts])
        cells = [arm, f"{facts[0]['parameters']:,}", str(len(facts)), f"{minutes:.1f}"]
        for figure in figures.values():
            cells.append(" / ".join(f"{figure[k][0]:.3f}" for k in ("median", "mean")))
            cells.append(f"{figure['skill'][0]:.2f} ± {figure['skill'][1]:.2f}")
        rows.append(cells)
    columns = [c for t in results.targets.values() for c in (f"{t} median / mean", "skill")]
    return table(["arm", "parameters", "runs", "minutes", *columns], rows)


def difference_table(results: Results, part: str, fraction: float = 1.0) -> str:
    rows = []
    for arm in ARMS:
        cells = [arm]
        for target in results.targets:
            errors, base = (results.errors(a, target, part, fraction) for a in (arm, "shared"))
            if arm == "shared" or not errors:
                continue
            mean = with_interval(paired(errors, base))
            noise = seed_noise({k: v for k, v in base.items() if k in errors})
            cells.append("{value:+.4f} [{low:+.4f}, {high:+.4f}]".format(**mean))
            cells.append(f"{mean['value'] / noise:+.1f}" if noise > 0 else "-")
        if len(cells) > 1:
            rows.append(cells)
    names = results.targets.values()
    columns = [c for t in names for c in (f"{t}: difference [95 %]", "in seed errors")]
    return table(["arm - shared", *columns], rows)


def ensemble_table(results: Results, part: str) -> str:
    """Ensembles of a fold's seeds, as models are shipped: errors and paired differences."""
    rows = []
    for arm, (target, label) in product(ARMS, results.targets.items()):
        errors, base = (results.ensemble_errors(a, target, part) for a in (arm, "shared"))
        if errors.keys() == base.keys() and errors:
            values = [error for by_crystal in errors.values() for error in by_crystal.values()]
            difference = "{value:+.4f} [{low:+.4f}, {high:+.4f}]".format(
                **with_interval(paired(errors, base))
            )
            cells = [label, arm, f"{np.median(values):.3f} / {np.mean(values):.3f}"]
            rows.append([*cells, "-" if arm == "shared" else difference])
    return table(["target", "arm", "median / mean", "arm - shared [95 %]"], rows)


def detectable(results: Results, part: str) -> str:
    rows = []
    for target, label in results.targets.items():
        base = results.errors("shared", target, part)
        if base:
            noise = seed_noise(base)
            rows.append([label, f"{noise:.4f}", f"{POWER * noise:.4f}"])
    return table(["target", "seed error of a paired mean difference", "smallest detectable"], rows)


def learning_table(results: Results, part: str) -> str:
    rows = []
    for fraction, arm in product(results.fractions, LEARNING_CURVE):
        figures = {t: results.figures(arm, t, part, fraction) for t in results.targets}
        if figures[STIFFNESS.name] is None:
            continue
        cells = [f"{100 * fraction:.0f} %", arm, str(figures[STIFFNESS.name]["runs"])]
        cells += [f"{f['median'][0]:.3f} / {f['mean'][0]:.3f}" for f in figures.values()]
        cells += [f"{f['skill'][0]:.2f}" for f in figures.values()]
        rows.append(cells)
    names = list(results.targets.values())
    columns = [f"{n} median / mean" for n in names] + [f"{n} skill" for n in names]
    return table(["training data", "arm", "runs", *columns], rows)


def group_table(results: Results, records: list[Record], part: str, group: Callable) -> str:
    """Mean relative errors of the stiffness and eps_total by group(record, fold)."""
    rows = []
    for target in (t for t in (STIFFNESS.name, TOTAL.name) if t in results.targets):
        groups = {
            (fold, r.source_id): group(r, fold)
            for fold in FOLDS
            for r in _part(records, target, fold, part)
        }
        for name in sorted(set(groups.values())):
            cells = [LABELS[target], name]
            for arm in ARMS:
                values = [
                    error
                    for (fold, _), errors in results.errors(arm, target, part).items()
                    for crystal, error in errors.items()
                    if groups[fold, crystal] == name
                ]
                cells.append(f"{np.mean(values):.3f}" if values else "-")
            crystals = {crystal for (_, crystal), label in groups.items() if label == name}
            rows.append([*cells, str(len(crystals))])
    return table(["target", "group", *ARMS, "crystals"], rows)


def energy_table(results: Results, part: str) -> str:
    """Mean absolute error of the formation energy, eV/atom, by fold."""
    rows = []
    for arm in FORMS:
        runs = [results.load(Run(arm, fold, 0)) for fold in FOLDS]
        predicted, true = (f"{part}/formation_energy/{side}" for side in ("predicted", "true"))
        errors = [np.abs(run[predicted] - run[true]).mean() for run in runs if run]
        if errors:
            rows.append([arm, *(f"{e:.4f}" for e in errors), f"{np.mean(errors):.4f}"])
    return table(["arm", *(f"fold {f}" for f in FOLDS), "mean"], rows)


def family_table(results: Results) -> str:
    """Mean relative error of the stiffness on each family by networks that never saw it, and the
    paired differences to `shared`."""
    rows = []
    for family in LEFT_OUT:
        errors = [results.errors_without(arm, family) for arm in FORMS]
        if not all(errors):
            continue
        base, *others = errors
        differences = [with_interval(paired(other, base)) for other in others]
        means = [np.mean([list(e.values()) for e in by_seed.values()]) for by_seed in errors]
        rows.append(
            [family, str(len(next(iter(base.values())))), str(min(map(len, errors)))]
            + [f"{mean:.3f}" for mean in means]
            + ["{value:+.4f} [{low:+.4f}, {high:+.4f}]".format(**d) for d in differences]
        )
    columns = [f"{arm} - shared [95 %]" for arm in FORMS[1:]]
    return table(["family", "crystals", "seeds", *FORMS, *columns], rows)


def run_table(results: Results, part: str) -> str:
    """Every run that exists: what it was, how long it took, and its errors."""
    rows = []
    for run in results.plan.runs:
        facts = results.facts(run)
        if facts is None:
            continue
        cells = [run.name, str(results.plan.epochs[run.fraction]), f"{facts['minutes']:.1f}"]
        for target in results.targets:
            errors = list((results.errors_of(run, target, part) or {}).values())
            cells.append(f"{np.median(errors):.3f} / {np.mean(errors):.3f}")
        rows.append([*cells, str(facts["train"])])
    names = [f"{name} median / mean" for name in results.targets.values()]
    return table(["run", "epochs", "minutes", *names, "training rows"], rows)


def _part(records: list[Record], target: str, fold: int, part: str) -> list[Record]:
    return [r for r in getattr(split(records, fold), part) if r.dataset == TARGETS[target]]


def rarest_class(records: list[Record]) -> Callable:
    """Groups a crystal by how many training crystals of its data set share its rarest class."""
    classes = {id(r): set(analyse(r.atoms).site_class.tolist()) for r in records}
    counts = {}
    for fold, dataset in product(FOLDS, {r.dataset for r in records}):
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

    count = len(results.targets)
    size = (10 * (count + 1) / 4, 3.2)
    figure, axes = plt.subplots(1, count, figsize=size, sharey=True, squeeze=False)
    for axis, (target, label) in zip(axes[0], results.targets.items()):
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
    figure, axes = plt.subplots(1, count, figsize=size, squeeze=False)
    for axis, (target, label) in zip(axes[0], results.targets.items()):
        for arm in LEARNING_CURVE:
            points = {f: results.figures(arm, target, part, f) for f in results.fractions}
            means = {f: p["mean"] for f, p in points.items() if p}
            percent = [100 * f for f in means]
            mean, spread = zip(*means.values()) if means else ((), ())
            axis.errorbar(percent, mean, spread, marker="o", capsize=3, label=arm)
        axis.set(title=label, xlabel="training data, %", ylabel="mean relative error")
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(folder / f"learning-{part}.svg")


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of the runs.")],
    database: Annotated[Path, typer.Argument(help="Training database of the runs.")],
    output: Annotated[Path, typer.Argument(help="Folder to write to, made if it is missing.")],
    part: Annotated[str, typer.Argument(help="val or test.")] = "val",
    plan_name: Annotated[
        str, typer.Argument(metavar="[PLAN]", help="tensors or taught.")
    ] = "tensors",
) -> None:
    """Write the tables and figures of the class study, and print the tables."""
    results = Results(folder, PLANS[plan_name])
    records = read_database(database, sorted(set(TARGETS.values()) & set(results.plan.datasets)))
    output.mkdir(parents=True, exist_ok=True)
    sections = {
        "Arms": arm_table(results, part),
        "Paired differences": difference_table(results, part),
        "Ensembles of three seeds": ensemble_table(results, part),
        "What could have been seen": detectable(results, part),
        "Learning curves": learning_table(results, part),
    }
    for fraction in reversed(results.fractions[:-1]):
        title = f"Paired differences, {100 * fraction:.0f} % of the training data"
        sections[title] = difference_table(results, part, fraction)
    sections |= {
        "Mean relative error by crystal system": group_table(
            results, records, part, lambda record, _: record.crystal_system
        ),
        "Mean relative error by rarity of the class": group_table(
            results, records, part, rarest_class(records)
        ),
    }
    energies = Results(Path(f"{folder}-energies"), PLANS["energies"])
    sections["Formation energy: mean absolute error, eV/atom"] = energy_table(energies, part)
    if plan_name == "taught" and part == "test":
        families = Results(Path(f"{folder}-families"), PLANS["families"])
        sections["Families left out of training, stiffness"] = family_table(families)
        sections["Every run without a family"] = run_table(families, part)
    sections["Every run"] = run_table(results, part)
    text = f"<!-- written by studies/class_study_report.py: {part} parts of folds 0, 1, 2 -->\n"
    text += "".join(f"\n## {title}\n\n{body}" for title, body in sections.items())
    (output / f"tables-{part}.md").write_text(text)
    draw(results, part, output)
    print(text)


if __name__ == "__main__":
    typer.run(main)
