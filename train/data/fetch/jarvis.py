"""Stiffness tensors of JARVIS-DFT, through jarvis-tools.

The database is one archive (`dft_3d`, some 90,000 entries), downloaded here to where jarvis-tools
looks for it: the download of jarvis-tools has no timeout and, if killed, leaves half an archive.
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
        """Id -> the entry as in the archive; sources/jarvis.py tells its units, frame and order."""
        return {jid: self._entries[jid] for jid in ids}


def download(url: str, path: Path, bar: Progress) -> None:
    """Stream `url` to `path`, which appears only when complete; an interrupted download resumes.

    Raises DataError if there is no answer.
    """
    import requests
    from requests.adapters import HTTPAdapter, Retry

    unfinished = path.with_name(f"{path.name}.part")
    received = unfinished.stat().st_size if unfinished.exists() else 0
    session = requests.Session()
    session.mount(url, HTTPAdapter(max_retries=Retry(3, backoff_factor=0.5)))
    headers = {"Range": f"bytes={received}-"} if received else {}
    try:
        with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if received and response.status_code == 416:  # nothing is left to send
                os.replace(unfinished, path)
                return
            response.raise_for_status()
            resumes = response.status_code == 206
            start = received if resumes else 0
            remaining = int(response.headers.get("content-length", 0))
            task = bar.add_task(path.name, total=start + remaining, completed=start)
            with unfinished.open("ab" if resumes else "wb") as stream:
                for block in response.iter_content(BLOCK):
                    stream.write(block)
                    bar.advance(task, len(block))
    except requests.RequestException as error:
        raise DataError(
            f"{url} cannot be downloaded ({type(error).__name__}): run the command again, which "
            f"goes on from there, or put the archive to {path} yourself"
        ) from error
    os.replace(unfinished, path)
