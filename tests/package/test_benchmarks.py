"""The benchmark measures what it says and leaves the package as it was."""

import prediction as benchmark  # benchmarks/prediction.py
import pytest
from crystals import CRYSTALS
from timing import Row, alternating, stages

import ase_eqtensor.crystal.symmetry as symmetry
import ase_eqtensor.prediction.preparation as preparation
from ase_eqtensor import EqTensorCalculator


def test_stages_count_every_call_and_are_undone(model):
    calculator = EqTensorCalculator(model)
    before = symmetry._search, preparation.build_graph
    with stages((symmetry, "_search"), (preparation, "build_graph")) as record:
        calculator.predict([CRYSTALS["quartz"], CRYSTALS["rutile"]])
    assert {name: len(times) for name, times in record.items()} == {"_search": 2, "build_graph": 2}
    assert (symmetry._search, preparation.build_graph) == before
    with pytest.raises(ZeroDivisionError), stages((symmetry, "_search")):
        _ = 1 / 0
    assert symmetry._search is before[0]


def test_functions_take_turns():
    calls = []
    first, second = alternating(3, lambda: calls.append("a"), lambda: calls.append("b"))
    assert calls == ["a", "b"] * 3 and first > 0 and second > 0


def test_rows_of_a_prediction(model):
    calculator = EqTensorCalculator(model)
    crystals = list(CRYSTALS.values())
    rows = benchmark.prediction_rows(calculator, crystals)
    rows += benchmark.single_rows(calculator, crystals)
    assert all(isinstance(row, Row) and row.value > 0 for row in rows)
    value = {row.what: row.value for row in rows}
    assert value["without the spglib call"] > value["end to end"]
    assert value["analyse, mean"] > value["the spglib call, mean"]
    assert value["all of symmetry / spglib call, of sums"] > 1
