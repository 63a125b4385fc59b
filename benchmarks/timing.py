"""Timing helpers: alternating runs, and timers around functions of the package."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the report; `unit` belongs to `value`, a ratio has none."""

    section: str
    what: str
    value: float
    unit: str = ""


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternating(repeats: int, *functions: Callable[[], object]) -> list[float]:
    """Median seconds of each function; they take turns, so that a busy machine slows them alike."""
    times = [[seconds(function) for function in functions] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*times)]


@contextmanager
def stages(*functions: tuple[object, str]) -> Iterator[dict[str, list[float]]]:
    """Seconds of every call of the named attributes of modules or classes, by name."""
    record: dict[str, list[float]] = defaultdict(list)
    originals = [(owner, name, getattr(owner, name)) for owner, name in functions]

    def timed(name: str, original: Callable):
        def call(*args, **kwargs):
            start = time.perf_counter()
            result = original(*args, **kwargs)
            record[name].append(time.perf_counter() - start)
            return result

        return call

    for owner, name, original in originals:
        setattr(owner, name, timed(name, original))
    try:
        yield record
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
