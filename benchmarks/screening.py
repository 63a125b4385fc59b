"""Screening with two workers against one process: python benchmarks/screening.py crystals.db

Screens the crystals with tensors, kills the run twice and resumes it, and compares the rows with
those of an uninterrupted run. Throughput is measured from the start of the command, and from the
first shard on, when the workers are running.
"""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import ase.db
import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.files import connect, tensors_of
from ase_eqtensor.files.database import from_row
from ase_eqtensor.train.data.database import read_database

WORKERS = 2


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
) -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = read_database(database, ["elastic", "dielectric"])
        crystals = [record.atoms for record in records]
        with ase.db.connect(folder / "source.db", use_lock_file=False) as db:
            for record in records:
                db.write(record.atoms, dataset=record.dataset)
        count = len(crystals)
        calculator = EqTensorCalculator()
        calculator.predict(crystals[:20])
        start = time.perf_counter()
        calculator.predict(crystals)
        single = count / (time.perf_counter() - start)
        whole, steady = _screen(folder, "whole.db", count)
        for stop in (count // 4, count // 2):
            _screen(folder, "killed.db", stop, kill=True)
        _screen(folder, "killed.db", count)
        table = Table("", "", title=f"{count} crystals")
        table.add_row("one process, predict()", f"{single:.4g} crystals/s")
        table.add_row(f"{WORKERS} workers, the whole command", f"{whole:.4g} crystals/s")
        table.add_row(f"{WORKERS} workers, first shard to last", f"{steady:.4g} crystals/s")
        table.add_row(f"the latter / {WORKERS} such processes", f"{steady / single / WORKERS:.3f}")
        table.add_row("largest relative difference after two kills", f"{_difference(folder):.1e}")
    Console().print(table)


def _screen(folder: Path, output: str, until: int, kill: bool = False) -> tuple[float, float]:
    """Rows per second of the whole command, and from its first shard to its last."""
    command = [sys.executable, "-m", "ase_eqtensor", "screen", "source.db", output]
    start, before = time.perf_counter(), _count(folder / output)
    process = subprocess.Popen([*command, "-j", str(WORKERS)], cwd=folder)
    shards: list[tuple[float, int]] = []  # when the number of rows grew, and to what
    while process.poll() is None:
        time.sleep(0.2)
        written = _count(folder / output)
        if written > (shards[-1][1] if shards else before):
            shards.append((time.perf_counter(), written))
        if kill and written >= until:
            process.send_signal(signal.SIGKILL)
    end = time.perf_counter()
    (first_time, first_rows), (last_time, last_rows) = shards[0], shards[-1]
    duration = last_time - first_time
    steady = (last_rows - first_rows) / duration if duration > 0 else float("nan")
    return (last_rows - before) / (end - start), steady


def _count(path: Path) -> int:
    if not path.exists():
        return 0
    with connect(path) as db:
        return db.count() if path.stat().st_size else 0


def _difference(folder: Path) -> float:
    """Largest relative difference of any tensor between the two runs, crystal by crystal."""
    runs = []
    for name in ("whole.db", "killed.db"):
        with connect(folder / name) as db:
            runs.append([(row.source, tensors_of(from_row(row))) for row in db.select()])
    labels = [[label for label, _ in run] for run in runs]
    assert labels[0] == labels[1] and len(set(labels[0])) == len(labels[0])
    return max(
        float(np.abs(whole[name] - killed[name]).max() / (np.abs(whole[name]).max() or 1.0))
        for (_, whole), (_, killed) in zip(*runs)
        for name in whole
    )


if __name__ == "__main__":
    typer.run(main)
