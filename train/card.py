"""The figures in a model's card as Markdown tables.

python -m ase_eqtensor.train.card [MODEL]
"""

from typing import Annotated

import typer

from ase_eqtensor.models.card import Card
from ase_eqtensor.models.store import load_model
from ase_eqtensor.models.uncertainty import RELATIVE
from ase_eqtensor.quantities import QUANTITIES, stored


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def accuracy(card: Card) -> str:
    """Errors out of fold with bootstrap intervals, beside those of trivial answers."""
    rows = []
    scored = card.figures_of("out_of_fold")
    for name, quantity in stored().items():
        if name not in scored:
            continue
        figures, folds = scored[name], card.figures_by_fold(name)
        title = f"{quantity.display.short} ({figures['crystals']})"
        for kind in ("median", "mean"):
            key = f"{kind}_relative"
            value = "{value:.3f} [{low:.3f}, {high:.3f}]".format(**figures[key])
            spread = _range(fold[key] for fold in folds)
            constant = f"{figures['constant'][key]['value']:.3f}"
            oracle = f"{figures['isotropic_oracle'][kind]:.3f}"
            rows.append([title, f"{kind} relative error", value, spread, constant, oracle])
            title = ""
        skill = figures["anisotropic_skill"]["all"]
        if skill is not None:
            spread = _range((fold["anisotropic_skill"] for fold in folds), 2)
            rows.append(["", "anisotropic skill", f"{skill:.2f}", spread, "0", "0"])
        rows.append(["", "within 25 %", f"{figures['ewt25_percent']:.0f} %", "", "", ""])
        for scalar in quantity.scalars:
            key = f"{scalar.name}_mae"
            if key in figures:
                spread = _range((fold[key] for fold in folds), 1)
                rows.append(["", scalar.heading, f"{figures[key]:.1f}", spread, "", ""])
    header = ["out of fold", "", "value [95 %]", "folds", "constant", "isotropic oracle"]
    return table(header, rows)


def calibration(card: Card) -> str:
    """Coverage of the error bounds and their width."""
    rows = []
    for name, quantity in QUANTITIES.items():
        calibrated = card.calibration_of(name)
        errors = {RELATIVE: "relative error"} | {s.name: s.symbol for s in quantity.scalars}
        for error, title in errors.items():
            if error not in calibrated:
                continue
            entry = calibrated[error]
            systems = [shares["0.9"] for shares in entry["by_system"].values()]
            sizes = [shares["0.9"] for shares in entry["by_size"].values()]
            shares = (f"{100 * entry['coverage'][level]:.1f}" for level in ("0.5", "0.9"))
            ranges = (_range((100 * x for x in part), 0) for part in (systems, sizes))
            width = f"{entry['width']['0.9']:.2f} / {entry['median_width']['0.9']:.2f}"
            rows.append([quantity.display.short, title, *shares, *ranges, width])
    header = ["", "bound of", "holds in %: 50 %", "90 %", "90 % by crystal system", "by size"]
    return table([*header, "width of 90 %, mean / median"], rows)


def flags(card: Card) -> str:
    """Share and mean relative error of the crystals called unlike the training data."""
    rows = []
    for name, quantity in QUANTITIES.items():
        if name not in card.calibration:
            continue
        flagged = card.calibration_of(name)["flagged"]
        errors = flagged["mean_relative"], flagged["mean_relative_of_the_others"]
        if None in errors:
            continue
        cells = [f"{100 * flagged['share']:.1f} %", *(f"{e:.3f}" for e in errors)]
        rows.append([quantity.display.short, *cells, f"{errors[0] / errors[1]:.1f}"])
    return table(["", "flagged", "their mean error", "that of the others", "ratio"], rows)


def describe(card: Card) -> str:
    """All tables of a card."""
    title = f"{card.name}: {len(card.members)} networks\n"
    return "\n".join([title, *(make(card) for make in (accuracy, calibration, flags))])


def _range(values, digits: int = 3) -> str:
    numbers = [value for value in values if value is not None]
    return f"{min(numbers):.{digits}f} ... {max(numbers):.{digits}f}" if numbers else "-"


def main(
    model: Annotated[str | None, typer.Argument(help="Shipped model or .safetensors file.")] = None,
) -> None:
    """Print the figures in a model's card as Markdown tables."""
    print(describe(load_model(model).card))


if __name__ == "__main__":
    typer.run(main)
