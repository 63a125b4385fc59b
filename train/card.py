"""The figures in a model's card as Markdown tables.

python -m ase_eqtensor.train.card [MODEL]
"""

from typing import Annotated

import typer

from ase_eqtensor.models.card import Card
from ase_eqtensor.models.store import load_model
from ase_eqtensor.models.uncertainty import RELATIVE
from ase_eqtensor.quantities import QUANTITIES, stored

FEWEST = 30  # crystals of a group that is shown


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
            shares = (f"{100 * entry['coverage'][level]:.1f}" for level in ("0.5", "0.9"))
            kinds = ("by_class", "by_system", "by_size")
            ranges = (_range(_held(entry, kind), 0) for kind in kinds)
            width = f"{entry['width']['0.9']:.2f} / {entry['median_width']['0.9']:.2f}"
            rows.append([quantity.display.short, title, *shares, *ranges, width])
    header = ["", "bound of", "holds in %: 50 %", "90 %", "90 % by class", "by crystal system"]
    return table([*header, "by size", "width of 90 %, mean / median"], rows)


def _held(entry: dict, kind: str) -> list[float]:
    """Shares in % of the 90 % bounds that hold in the groups of a kind that are large enough."""
    sizes = entry.get("crystals", {})
    return [
        100 * shares["0.9"]
        for group, shares in entry.get(kind, {}).items()
        if sizes.get(group, FEWEST) >= FEWEST
    ]


def groups(card: Card, kind: str) -> str:
    """Share in % of the 90 % bounds that hold in each group of a kind, "by_class" or "by_family",
    and the number of crystals; the worst group first."""
    columns: list[str] = []
    cells: dict[str, dict[str, tuple[float, int]]] = {}
    for name, quantity in QUANTITIES.items():
        calibrated = card.calibration_of(name)
        errors = {RELATIVE: ""} | {s.name: s.symbol for s in quantity.scalars}
        for error, title in errors.items():
            if not calibrated.get(error, {}).get(kind):
                continue
            entry, column = calibrated[error], title or f"{quantity.display.short} tensor"
            columns.append(column)
            for group, shares in entry[kind].items():
                count = shares.get("crystals") or entry["crystals"][group]
                cells.setdefault(group, {})[column] = (100 * shares["0.9"], int(count))

    def worst(group: str) -> float:
        return min(share for share, _ in cells[group].values())

    rows = [
        [group, *(f"{one[c][0]:.0f} ({one[c][1]})" if c in one else "-" for c in columns)]
        for group in sorted(cells, key=worst)
        for one in [cells[group]]
    ]
    return table(["90 % bounds hold in % (crystals)", *columns], rows)


def large(card: Card) -> str:
    """How often bounds hold for true tensors with a scalar that is hard to predict."""
    rows = []
    for name, quantity in QUANTITIES.items():
        limits = [f"{s.symbol} above {s.large:g}" for s in quantity.scalars if s.large is not None]
        for error, entry in card.calibration_of(name).items():
            if limits and entry.get("large"):
                shares = (f"{100 * entry['large'][level]:.0f}" for level in ("0.5", "0.9"))
                count = f"{entry['large']['crystals']}"
                rows.append([limits[0], error.replace("_", " "), count, *shares])
    return table(["true value", "bound of", "crystals", "holds in %: 50 %", "90 %"], rows)


def suspicions(card: Card) -> str:
    """Rates of the flags that features raise, out of fold."""
    rows = []
    for flag, suspicion in card.suspicions.items():
        rates = suspicion.rates
        caught = f"{100 * rates['caught']:.0f} % of {rates['deserving']:.0f}"
        alarms = f"{100 * rates['false_alarms']:.0f} % of {rates['others']:.0f}"
        rows.append([f"`{flag}`", caught, alarms])
    return table(["flag", "raised for those that deserve it", "for others"], rows)


def measured(card: Card) -> str:
    """Errors against measured values, cross-validated by composition."""
    rows = []
    for entry in card.measured.values():
        for scalar, rates in entry.rates.items():
            errors = (f"{rates[kind]:.3f}" for kind in ("uncorrected", "median_error"))
            holds = f"{100 * rates['coverage']:.0f} %"
            rows.append([scalar, f"{rates['crystals']:.0f}", *errors, holds])
    header = ["measured", "crystals", "median error of first principles", "corrected"]
    return table([*header, "90 % bounds hold"], rows)


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
        families = flagged.get("by_family", {}).values()
        bad = sum(family["bad"] for family in families)
        caught = sum(family["bad"] * (family["caught"] or 0) for family in families)
        told = f"{caught:.0f} of {bad}" if bad else "-"
        rows.append([quantity.display.short, *cells, f"{errors[0] / errors[1]:.1f}", told])
    header = ["", "flagged", "their mean error", "that of the others", "ratio"]
    return table([*header, "large errors caught in families left out"], rows)


def describe(card: Card) -> str:
    """All tables of a card."""
    title = f"{card.name}: {len(card.members)} networks\n"
    shown = [make(card) for make in (accuracy, calibration, large, flags, suspicions, measured)]
    return "\n".join([title, *shown, groups(card, "by_class"), groups(card, "by_family")])


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
