"""The figures in a model's card as Markdown tables.

python -m ase_eqtensor.train.card [MODEL]
"""

import sys

from ase_eqtensor.models.store import load_model

NAMES = {
    "elasticity_tensor": "stiffness",
    "electronic_dielectric_tensor": "eps_inf",
    "dielectric_tensor": "eps_total",
    "compliance_tensor": "compliance",
}
QUANTITIES = {
    "relative_error": "relative error",
    "k_vrh_gpa": "K",
    "g_vrh_gpa": "G",
    "trace_third": "trace / 3",
}


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def accuracy(card: dict) -> str:
    """Errors out of fold with bootstrap intervals, beside those of trivial answers."""
    rows = []
    for name, figures in card["figures"]["out_of_fold"].items():
        if name not in NAMES:
            continue
        folds = [fold[name] for fold in card["by_fold"]]
        title = f"{NAMES[name]} ({figures['crystals']})"
        for key, kind in (("median_relative", "median"), ("mean_relative", "mean")):
            one, constant = figures[key], figures["constant"][key]["value"]
            cells = [title, f"{kind} relative error", "{value:.3f} [{low:.3f}, {high:.3f}]"]
            oracle = figures["isotropic_oracle"][kind]
            spread = _range(fold[key] for fold in folds)
            rows.append([*cells[:2], cells[2].format(**one), spread])
            rows[-1] += [f"{constant:.3f}", f"{oracle:.3f}"]
            title = ""
        skill = figures["anisotropic_skill"]["all"]
        spread = _range((fold["anisotropic_skill"] for fold in folds), 2)
        rows.append(["", "anisotropic skill", f"{skill:.2f}", spread, "0", "0"])
        rows.append(["", "within 25 %", f"{figures['ewt25_percent']:.0f} %", "", "", ""])
        for modulus in ("k", "g"):
            if value := figures.get(f"{modulus}_vrh_mae_gpa"):
                spread = _range((fold[f"{modulus}_vrh_mae_gpa"] for fold in folds), 1)
                rows.append(["", f"{modulus.upper()}, GPa", f"{value:.1f}", spread, "", ""])
    header = ["out of fold", "", "value [95 %]", "folds", "constant", "isotropic oracle"]
    return table(header, rows)


def calibration(card: dict) -> str:
    """Coverage of the error bounds, their width, and the errors of flagged crystals."""
    rows = []
    for name, entry in card["calibration"].items():
        for quantity in (q for q in QUANTITIES if q in entry):
            one = entry[quantity]
            systems = [shares["0.9"] for shares in one["by_system"].values()]
            sizes = [shares["0.9"] for shares in one["by_size"].values()]
            shares = (f"{100 * one['coverage'][level]:.1f}" for level in ("0.5", "0.9"))
            ranges = (_range((100 * x for x in part), 0) for part in (systems, sizes))
            width = f"{one['width']['0.9']:.2f} / {one['median_width']['0.9']:.2f}"
            rows.append([NAMES[name], QUANTITIES[quantity], *shares, *ranges, width])
    header = ["", "bound of", "holds in %: 50 %", "90 %", "90 % by crystal system", "by size"]
    return table([*header, "width of 90 %, mean / median"], rows)


def flags(card: dict) -> str:
    """Share and mean relative error of the crystals called unlike the training data."""
    rows = []
    for name, entry in card["calibration"].items():
        one = entry["flagged"]
        errors = one["mean_relative"], one["mean_relative_of_the_others"]
        cells = [f"{100 * one['share']:.1f} %", *(f"{e:.3f}" for e in errors)]
        rows.append([NAMES[name], *cells, f"{errors[0] / errors[1]:.1f}"])
    return table(["", "flagged", "their mean error", "that of the others", "ratio"], rows)


def _range(values, digits: int = 3) -> str:
    known = list(values)
    return f"{min(known):.{digits}f} ... {max(known):.{digits}f}"


def main(model: str | None = None) -> None:
    card = load_model(model).card
    print(f"{card['name']}: {len(card['members'])} networks\n")
    print(*(make(card) for make in (accuracy, calibration, flags)), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
