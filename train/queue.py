"""Runs that several processes share, each begun by one and done once."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


def undone(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are still to be made, each while its lock is held.

    One that another process holds is left to that process; the system frees the lock if the process
    dies.
    """
    for path in paths:
        with suppress(Timeout), FileLock(path.with_suffix(".lock")).acquire(blocking=False):
            if not path.exists():
                yield path
