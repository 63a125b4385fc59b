"""Stiffness tensors of JARVIS-DFT, through jarvis-tools.

The database is one archive (`dft_3d`, some 90,000 entries). It is downloaded to where jarvis-tools
looks for it; its own download has no timeout and leaves half an archive behind when it is killed.
"""

import contextlib
import io
import os
import zipfile
from importlib.metadata import version
from pathlib import Path

from rich.progress import Progress

from ase_eqtensor.errors import DataError
from ase_eqtensor.extras import extra
from ase_eqtensor.train.data.fetch.file import Key

DATASET = "dft_3d"
TIMEOUT = 30.0  # s, for connecting and between two blocks
BLOCK = 1 << 20  # bytes
CITE = "K. Choudhary et al., npj Comput. Mater. 6, 173 (2020)"


class Jarvis:
    """Reads the entries of JARVIS-DFT that have a stiffness tensor.

    Raises MissingExtraError without jarvis-tools.
    """

    name = "jarvis"

    def __init__(self):
        with extra("fetch"):
            from jarvis.core.utils import get_cache_dir
            from jarvis.db import figshare
        self._load = figshare.data
        self._url, self._file, _, self._reference = figshare.get_db_info()[DATASET]
        self._archive = Path(get_cache_dir("jarvis_data")) / f"{self._file}.zip"
        self._entries: dict[str, dict] = {}

    def header(self) -> dict[str, str]:
        """Name of the archive (with its date), library, where the licence stands, and citation."""
        return {
            "database_version": Path(self._file).stem,
            "library": f"jarvis-tools {version('jarvis-tools')}",
            "licence": f"see {self._reference.split('Other versions:')[-1]}",
            "cite": CITE,
        }

    def wanted(self, bar: Progress) -> list[Key]:
        """All entries with a stiffness tensor; downloads the archive unless it is there."""
        if not self._archive.is_file():
            download(self._url, self._archive, bar)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints
                entries = self._load(DATASET)
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise DataError(
                f"{self._archive} is damaged ({error}): delete it and run the command again"
            ) from error
        self._entries = {e["jid"]: e for e in entries if e.get("elastic_tensor", "na") != "na"}
        return [("elasticity", jid) for jid in self._entries]

    def ask(self, property_set: str, ids: list[str]) -> dict[str, dict]:
        """Id -> the entry as it is in the archive: see sources/jarvis.py for frame and order."""
        return {jid: self._entries[jid] for jid in ids}


def download(url: str, path: Path, bar: Progress) -> None:
    """Stream `url` to `path`, which appears only when complete; a torn download is gone on with.

    Raises DataError if there is no answer.
    """
    import requests
    from requests.adapters import HTTPAdapter, Retry

    part = path.with_name(f"{path.name}.part")
    have = part.stat().st_size if part.exists() else 0
    session = requests.Session()
    session.mount(url, HTTPAdapter(max_retries=Retry(3, backoff_factor=0.5)))
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if have and answer.status_code == 416:  # nothing is left to send
                os.replace(part, path)
                return
            answer.raise_for_status()
            go_on = answer.status_code == 206
            left = int(answer.headers.get("content-length", 0))
            task = bar.add_task(path.name, total=left + have * go_on, completed=have * go_on)
            with part.open("ab" if go_on else "wb") as stream:
                for block in answer.iter_content(BLOCK):
                    stream.write(block)
                    bar.advance(task, len(block))
    except requests.RequestException as error:
        raise DataError(
            f"{url} cannot be downloaded ({type(error).__name__}): run the command again, which "
            f"goes on from there, or put the archive to {path} yourself"
        ) from error
    os.replace(part, path)
