"""Markdown tables of a model card: the README's numbers."""

from ase_eqtensor import load_model
from ase_eqtensor.quantities import offered
from ase_eqtensor.train.card import accuracy, calibration, flags


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
