"""The benchmark measures what it says and leaves the package as it was."""

import boards  # in benchmarks/, as those below
import prediction as benchmark
import pytest
from crystals import CRYSTALS
from timing import Row, alternating, stages

import ase_eqtensor.crystal.symmetry as symmetry
import ase_eqtensor.prediction.preparation as preparation
from ase_eqtensor import EqTensorCalculator, load_model


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


def test_boards_have_our_rows_in_order():
    card = load_model().card
    for board in (boards.LAMBENCH, boards.MATCALC):
        text = boards.table_of(board)
        own = card.figures_of("out_of_fold")[board.target]["k_vrh_gpa_mae"]
        (row,) = (line for line in text.splitlines() if f"**{card.name}**" in line)
        assert f" {own:.2f} |" in row and "never saw its fold" in row
        rows = [line for line in text.splitlines() if line.endswith(" |")][2:]
        bulk = [float(line.split("|")[2]) for line in rows]
        assert bulk == sorted(bulk) and len(bulk) == len(board.rows) + 1
