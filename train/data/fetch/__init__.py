"""First-principles tensors from the databases that publish them, fetched to a file.

`fetch` asks a client (one module per database) in chunks and appends each chunk, as received, to a
file (file.py), which the source of the same name in train/data/sources/ reads. To add a database:
write a client like the two here, name it in `CLIENTS`, and write its source.
"""

import os
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

from rich.progress import Progress

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.data.fetch.file import Key, begin_or_resume, line
from ase_eqtensor.train.data.fetch.jarvis import Jarvis
from ase_eqtensor.train.data.fetch.materials_project import MaterialsProject

CHUNK = 100  # materials asked for at once, and the most that a killed fetch loses


class Client(Protocol):
    """What asks one database. Every method raises DataError when the database does not answer."""

    name: str

    def header(self) -> dict[str, str]:
        """`database_version`, `library`, `licence` and `cite`, for the file's header."""

    def wanted(self, bar: Progress) -> list[Key]:
        """(property set, id) of everything worth asking for; `bar` shows slow steps."""

    def ask(self, property_set: str, ids: list[str]) -> dict[str, dict]:
        """Id -> the database's answer (plain JSON), for ids without data, too."""


CLIENTS: dict[str, Callable[[], Client]] = {
    MaterialsProject.name: MaterialsProject,
    Jarvis.name: Jarvis,
}


class Fetched(NamedTuple):
    """Number of answers in the file, and how many of them are new."""

    answers: int
    new: int


def fetch(source: str, output: Path, progress: bool = False) -> Fetched:
    """Append to `output` what `source` (a key of `CLIENTS`) offers and `output` lacks.

    Raises DataError if the source is unknown, its key is missing, it does not answer, or `output`
    is not such a file or was begun with another version of the database; MissingExtraError without
    the extra `fetch`.
    """
    if source not in CLIENTS:
        raise DataError(f"unknown source {source!r}: choose from {', '.join(CLIENTS)}")
    return fetch_from(CLIENTS[source](), output, progress)


def fetch_from(client: Client, output: Path, progress: bool = False) -> Fetched:
    """As `fetch`, from a client.

    A chunk is written as soon as it is answered, so a fetch that ends early loses only the chunk it
    was waiting for.
    """
    output = Path(output)
    with Progress(disable=not progress) as bar:
        header = {"source": client.name} | client.header()
        wanted = list(dict.fromkeys(client.wanted(bar)))
        done = begin_or_resume(output, header | {"wanted": len(wanted)})
        todo = [key for key in wanted if key not in done]
        task = bar.add_task(client.name, total=len(wanted), completed=len(wanted) - len(todo))
        with output.open("ab") as stream:
            for property_set, ids in _chunks(todo):
                try:
                    answers = client.ask(property_set, ids)
                except DataError as error:
                    held = f"{len(done)} of {len(wanted)} answers"
                    raise DataError(
                        f"{error}. {output} holds {held}; the same command goes on from there"
                    ) from error
                stream.write(b"".join(line(property_set, id, answers[id]) for id in ids))
                stream.flush()
                os.fsync(stream.fileno())
                done |= {(property_set, id) for id in ids}
                bar.advance(task, len(ids))
    return Fetched(len(done), len(todo))


def _chunks(keys: list[Key]) -> Iterator[tuple[str, list[str]]]:
    for property_set, group in groupby(keys, key=lambda key: key[0]):
        ids = [id for _, id in group]
        for start in range(0, len(ids), CHUNK):
            yield property_set, ids[start : start + CHUNK]
