"""Prediction from atoms to tensors: stages, batch sizes, single crystals."""

import statistics
from collections.abc import Sequence
from functools import partial

from ase import Atoms
from timing import Row, alternating, seconds, stages

import ase_eqtensor.crystal.symmetry as symmetry
import ase_eqtensor.prediction.evaluation as evaluation
import ase_eqtensor.prediction.predictor as predictor
import ase_eqtensor.prediction.preparation as preparation
from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.tensors.forms import Form

REPEATS = 5
SMALL = 10  # atoms
COPIES = 10
BATCH_EDGES = (1, 3_000, 10_000, 30_000, 100_000)
SYMMETRY = ("analyse", "primitive", "group_averages")
STAGES = (
    (symmetry, "_search"),
    (preparation, "check_structure"),
    (preparation, "structure_warnings"),
    (preparation, "is_likely_metal"),
    (preparation, "analyse"),
    (preparation, "primitive"),
    (preparation, "build_graph"),
    (Form, "group_averages"),
    (evaluation, "collate"),
    (TensorNetwork, "read"),
)


def prediction_rows(calculator: EqTensorCalculator, crystals: Sequence[Atoms]) -> list[Row]:
    """All crystals in batches, in one process and one thread."""
    rows = []

    def add(what: str, value: float, unit: str = "") -> None:
        rows.append(Row("prediction in batches", what, value, unit))

    runs = []
    for _ in range(REPEATS):
        with stages(*STAGES) as record:
            total = seconds(lambda: calculator.predict(crystals))
        spglib = sum(record["_search"])
        figures = {
            "end to end": len(crystals) / total,
            "without the spglib call": len(crystals) / (total - spglib),
        }
        milliseconds = {name: 1e3 * sum(t) / len(crystals) for name, t in record.items()}
        medians = {
            "_search": 1e3 * statistics.median(record["_search"]),
            "build_graph": 1e3 * statistics.median(record["build_graph"]),
        }
        ratio = sum(sum(record[name]) for name in SYMMETRY) / spglib
        averages = sum(record["group_averages"]) / len(crystals)
        times = zip(record["analyse"], record["primitive"], record["_search"])
        per_crystal = statistics.median((a + p + averages) / s for a, p, s in times)
        beside = (total - spglib) / spglib
        runs.append((figures, milliseconds, medians, ratio, per_crystal, beside))

    for name in runs[0][0]:
        add(name, statistics.median(run[0][name] for run in runs), "crystals/s")
    for name in runs[0][1]:
        label = "the spglib call" if name == "_search" else name
        add(f"{label}, mean", statistics.median(run[1][name] for run in runs), "ms/crystal")
    add("the spglib call, median", statistics.median(r[2]["_search"] for r in runs), "ms/crystal")
    add("build_graph, median", statistics.median(r[2]["build_graph"] for r in runs), "ms/crystal")
    add("all but the spglib call / that call", statistics.median(run[5] for run in runs))
    add("all of symmetry / spglib call, of sums", statistics.median(run[3] for run in runs))
    add("all of symmetry / spglib call, median crystal", statistics.median(r[4] for r in runs))
    return rows


def batch_rows(calculator: EqTensorCalculator, crystals: Sequence[Atoms]) -> list[Row]:
    """Throughput by the number of edges that a pass through the network may have."""
    default = predictor.BATCH_EDGES

    def with_limit(edges: int):
        def run():
            predictor.BATCH_EDGES = edges
            with stages((symmetry, "_search")) as record:
                run.spent = seconds(lambda: calculator.predict(crystals)) - sum(record["_search"])

        return run

    runs = [with_limit(edges) for edges in BATCH_EDGES]
    spent = {edges: [] for edges in BATCH_EDGES}
    try:
        for _ in range(3):
            for edges, run in zip(BATCH_EDGES, runs):
                run()
                spent[edges].append(run.spent)
    finally:
        predictor.BATCH_EDGES = default
    section = "batch size, without the spglib call"
    return [
        Row(section, f"{edges} edges", len(crystals) / statistics.median(times), "crystals/s")
        for edges, times in spent.items()
    ]


def single_rows(calculator: EqTensorCalculator, crystals: Sequence[Atoms]) -> list[Row]:
    """One crystal at a time, everything included."""
    rows = []
    for label, group in (
        (f"up to {SMALL} atoms", [a for a in crystals if len(a) <= SMALL]),
        (f"more than {SMALL} atoms", [a for a in crystals if len(a) > SMALL]),
    ):
        times = [
            alternating(3, partial(calculator.predictor.predict_one, atoms))[0] for atoms in group
        ]
        rows.append(Row("single crystal", f"{label}, median", 1e3 * statistics.median(times), "ms"))
    return rows


def worker_rows(calculator: EqTensorCalculator, crystals: Sequence[Atoms]) -> list[Row]:
    """The crystals, repeated `COPIES` times, with symmetry and graphs made in other processes."""
    copies = list(crystals) * COPIES
    serial, starting, started = (
        seconds(partial(calculator.predict, copies, workers=n)) for n in (1, 2, 2)
    )
    section = f"list of {len(copies)} crystals"
    return [
        Row(section, "one process", len(copies) / serial, "crystals/s"),
        Row(section, "two workers, from their start", len(copies) / starting, "crystals/s"),
        Row(section, "two workers, started before", len(copies) / started, "crystals/s"),
    ]
