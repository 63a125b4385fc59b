"""The folds are fixed: these values were computed with sha256sum, not with the package."""

from dataclasses import dataclass

import pytest
from ase import Atoms

from ase_eqtensor.train.folds import fold_of, in_val, split
from ase_eqtensor.train.record import reduced_formula


@dataclass
class Row:
    reduced_formula: str
    quarantine: str = ""

    @property
    def fold(self):
        return fold_of(self.reduced_formula)

    @property
    def in_val(self):
        return in_val(self.reduced_formula)


@pytest.mark.parametrize(
    "formula, fold, val",
    [
        ("Si", 2, False),
        ("NaCl", 2, True),
        ("TiO2", 0, False),
        ("BN", 1, True),
        ("SrTiO3", 3, True),
        ("GaAs", 4, False),
        ("NaN", 4, False),
        ("InF", 2, False),
    ],
)
def test_pinned(formula, fold, val):
    assert (fold_of(formula), in_val(formula)) == (fold, val)


def test_split():
    rows = [Row(f) for f in ("Si", "NaCl", "TiO2", "BN", "GaAs")]
    train, val, test = split(rows, 2)
    assert [r.reduced_formula for r in train] == ["TiO2", "GaAs"]
    assert [r.reduced_formula for r in val] == ["BN"]
    assert [r.reduced_formula for r in test] == ["Si", "NaCl"]


def test_quarantine_leaves_train_only():
    rows = [Row(f, "doubtful") for f in ("Si", "BN", "GaAs")]
    train, val, test = split(rows, 2)
    assert (len(train), len(val), len(test)) == (0, 1, 1)


def test_unknown_fold():
    with pytest.raises(ValueError, match="0..4"):
        split([], 5)


def test_formula_is_independent_of_order_and_supercell():
    assert reduced_formula(Atoms("O2Ti")) == reduced_formula(Atoms("OTiOOTiO")) == "TiO2"
