"""Where tasks run: processes on this machine, a Dask cluster or a Ray cluster, all by joblib."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from typing import Any

from .errors import DataError, SettingError
from .extras import extra

BACKENDS = ("local", "dask", "ray")
BLOCK = 4  # tasks per worker that Ray gets at a time


def in_parallel(
    function: Callable,
    tasks: Sequence[tuple],
    workers: int = 1,
    backend: str = "local",
    address: str | None = None,
) -> Iterator:
    """The results of function(*task) in the order of the tasks, as early as that order allows.

    Args:
        workers: processes, -1 for one per core.
        backend: "local", "dask" or "ray".
        address: of a running Dask scheduler ("tcp://host:8786") or Ray cluster ("auto" on one of
            its machines). Its workers need this package, and the files that tasks name under the
            same paths. None starts a cluster on this machine for as long as the tasks run.

    Raises SettingError for a number of workers that cannot be, DataError for an unknown backend or
    one that does not answer, MissingExtraError where its library is not installed.
    """
    check_workers(workers, backend, address)
    if backend == "local" and workers == 1:
        yield from (function(*task) for task in tasks)
        return
    from joblib import Parallel, cpu_count, delayed, parallel_config  # slow to import

    workers = cpu_count() if workers == -1 else workers
    if backend == "local":
        function = partial(_attended, os.getpid(), function)
    calls = [delayed(function)(*task) for task in tasks]
    with _cluster(backend, workers, address):
        with parallel_config("loky" if backend == "local" else backend, n_jobs=workers):
            if backend != "ray":
                yield from Parallel(return_as="generator")(calls)
                return
            for i in range(0, len(calls), BLOCK * workers):  # Ray returns complete lists only
                yield from Parallel()(calls[i : i + BLOCK * workers])


def check_workers(workers: int, backend: str, address: str | None) -> None:
    """Raise what `in_parallel` would, as far as it can be told before there is any work."""
    if workers < 1 and workers != -1:
        raise SettingError(f"workers={workers}: choose a number of processes, or -1: one per core")
    if backend not in BACKENDS:
        raise DataError(f"unknown backend {backend!r}: choose from {', '.join(BACKENDS)}")
    if backend == "local" and address is not None:
        raise DataError(f"the local backend has no address {address!r}: choose dask or ray")


def _attended(parent: int, function: Callable, *task):
    """function(*task) in a process that ends with its parent."""
    if os.getpid() != parent:
        _watch(parent)
    return function(*task)


@cache
def _watch(parent: int) -> None:
    """End this process soon after its parent: workers of a killed run would otherwise wait for
    tasks for ever, and hold memory and open pipes."""

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _cluster(backend: str, workers: int, address: str | None) -> AbstractContextManager:
    if backend == "local":
        return nullcontext()
    return _dask(workers, address) if backend == "dask" else _ray(workers, address)


@contextmanager
def _dask(workers: int, address: str | None) -> Iterator[None]:
    with extra("dask"):
        from distributed import Client, LocalCluster
    if address is None:
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        with cluster, Client(cluster):
            yield
        return
    try:
        client = Client(address)
    except OSError as error:
        raise DataError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        yield


@contextmanager
def _ray(workers: int, address: str | None) -> Iterator[None]:
    with extra("ray"):
        import ray
        from ray.util.joblib import register_ray
    local: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(address, **local, log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError as error:
        raise DataError(f"no Ray cluster answers at {address}: {error}") from error
    try:
        register_ray()
        yield
    finally:
        ray.shutdown()
