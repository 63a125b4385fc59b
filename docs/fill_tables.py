"""Fills tables of README and pages from the default model's card: python docs/fill_tables.py

A table stands below the comment <!-- NAME -->; the text around it is left alone.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

from boards import LAMBENCH, MATCALC, rows_of  # noqa: E402

from ase_eqtensor import load_model  # noqa: E402
from ase_eqtensor.models.card import Card  # noqa: E402
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL  # noqa: E402
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC  # noqa: E402
from ase_eqtensor.quantities.stiffness import STIFFNESS  # noqa: E402
from ase_eqtensor.train import card as cards  # noqa: E402
from ase_eqtensor.train.targets.stiffness import G, K  # noqa: E402

# What a user would take instead, as docs/accuracy.md says in full.
INSTEAD = {
    STIFFNESS: "7net-l3i5 and finite strain: 0.232 / 0.242 (a); MatTen: 0.213 / 0.256 (b)",
    ELECTRONIC: "CEITNet, other data: 86 % of dielectric tensors within 25 % (c)",
    PIEZOELECTRIC: "CEITNet, other data: 22 % within 25 % (c)",
}


def headline(card: Card) -> str:
    """The figures of a card beside what else there is; moduli beside the best published ones."""
    scored = card.figures_of("out_of_fold")
    rows = []
    for quantity in (STIFFNESS, ELECTRONIC, TOTAL, PIEZOELECTRIC):
        figures = scored[quantity.name]
        errors = (f"{figures[f'{kind}_relative']['value']:.3f}" for kind in ("median", "mean"))
        share = f"{figures['ewt25_percent']:.0f} %"
        title = f"{quantity.display.short} ({figures['crystals']})"
        rows.append([title, " / ".join(errors), share, INSTEAD.get(quantity, "")])
    own = scored[STIFFNESS.name]
    for column, (symbol, name) in enumerate({"K": K, "G": G}.items()):
        published = LAMBENCH.rows
        best = min(published, key=lambda potential: published[potential][column])
        others = sorted(row[column] for row in published.values())
        instead = f"{others[0]:.1f} ({best}) to {others[-1]:.1f} by {len(others)} potentials (d)"
        rows.append([f"{symbol}, mean error in GPa", f"{own[f'{name}_mae']:.1f}", "", instead])
    header = ["crystals that the networks had not seen", "median / mean relative error"]
    return cards.table([*header, "within 25 %", "instead"], rows)


def tables() -> dict[str, str]:
    """Name -> Markdown table of the default model."""
    card = load_model().card
    return {
        "headline": headline(card),
        "accuracy": cards.accuracy(card),
        "moduli": rows_of(LAMBENCH),
        "binaries": rows_of(MATCALC),
        "calibration": cards.calibration(card),
        "large": cards.large(card),
        "flags": cards.flags(card),
        "suspicions": cards.suspicions(card),
        "measured": cards.measured(card),
        "class": cards.groups(card, "by_class"),
        "family": cards.groups(card, "by_family"),
    }


def filled(text: str, made: dict[str, str]) -> str:
    """A page with its tables made anew."""
    for name, table in made.items():
        place = re.compile(rf"(<!-- {name} -->\n)\n?(?:\|[^\n]*\n)*\n*")
        # text right after a table would be another row
        text = place.sub(lambda found, table=table: f"{found[1]}\n{table.rstrip()}\n\n", text)
    return text.rstrip() + "\n"


def pages() -> Iterator[Path]:
    """Those that hold tables of the card."""
    markers = [f"<!-- {name} -->" for name in tables()]
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        if any(marker in page.read_text("utf-8") for marker in markers):
            yield page


if __name__ == "__main__":
    made = tables()
    for page in pages():
        page.write_text(filled(page.read_text("utf-8"), made), "utf-8")
        print(page.relative_to(ROOT))
