"""Markdown tables of a model card: the README's numbers."""

from ase_eqtensor import load_model
from ase_eqtensor.quantities import offered
from ase_eqtensor.train.card import (
    accuracy,
    calibration,
    flags,
    groups,
    large,
    measured,
    suspicions,
)


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]


def test_tables_hold_the_figures_of_the_card():
    card = load_model().card
    header, _, *rows = cells(accuracy(card))
    assert all(len(row) == len(header) for row in rows)
    stiffness = card.figures["out_of_fold"]["elasticity_tensor"]
    first = rows[[row[0].startswith("stiffness") for row in rows].index(True)]
    assert first[2].startswith(f"{stiffness['median_relative']['value']:.3f} [")
    assert first[4] == f"{stiffness['constant']['median_relative']['value']:.3f}"
    assert first[5] == f"{stiffness['isotropic_oracle']['median']:.3f}"
    header, _, *rows = cells(calibration(card))
    assert all(len(row) == len(header) for row in rows)
    assert {row[0] for row in rows} == {quantity.display.short for quantity in offered().values()}
    for row in cells(flags(card))[2:]:
        name = next(n for n, quantity in offered().items() if quantity.display.short == row[0])
        flagged = card.calibration[name]["flagged"]
        assert row[2] == f"{flagged['mean_relative']:.3f}"


def test_tables_of_groups_begin_with_the_worst():
    card = load_model().card
    for kind in ("by_class", "by_family"):
        header, _, *rows = cells(groups(card, kind))
        assert len(rows) >= 5 and all(len(row) == len(header) for row in rows)
        worst = [min(float(c.split(" ")[0]) for c in row[1:] if c != "-") for row in rows]
        assert worst == sorted(worst)
    kinds = card.calibration["elasticity_tensor"]["k_vrh_gpa"]["by_class"]
    shown = {row[0]: row[header.index("K")] for row in cells(groups(card, "by_class"))[2:]}
    for name, shares in kinds.items():
        assert shown[name].startswith(f"{100 * shares['0.9']:.0f} (")


def test_rates_of_flags_and_of_measured_values():
    card = load_model().card
    assert len(cells(large(card))) == 2 + 2  # the tensor and its trace
    for row, one in zip(cells(suspicions(card))[2:], card.suspicions.values(), strict=True):
        assert row[1].startswith(f"{100 * one.rates['caught']:.0f} %")
    rows = {row[0]: row for row in cells(measured(card))[2:]}
    rates = card.measured["dielectric_tensor"].rates["eps_total"]
    assert rows["eps_total"][3] == f"{rates['median_error']:.3f}"
