"""Recorded answers of the databases, a server on this machine that gives them, files of them.

The answers in recorded/ are made by the databases' own libraries (make.py there).
"""

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from ase_eqtensor.train.data.fetch.file import begin_or_resume, line, read_answers

DATA = Path(__file__).parent / "recorded"
RECORDED = json.loads((DATA / "materials_project.json").read_text())
ENTRIES = json.loads((DATA / "jarvis_dft_3d.json").read_text())
KNOWN = json.loads((DATA / "known.json").read_text())
KEY = "k" * 32
VERSION = {"database_version": "2025.09.25", "library": "x 1", "licence": "CC BY 4.0", "cite": "y"}


class Server(BaseHTTPRequestHandler):
    """Serves the recorded answers as the Materials Project does, and an archive in ranges."""

    archive = b""
    requests: list = []
    status = 200
    cut = None  # bytes after which the archive's connection breaks

    def do_GET(self):
        from mp_api.client.core.utils import validate_ids

        url = urlparse(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        self.requests.append((url.path, query, dict(self.headers)))
        if url.path.endswith(".zip"):
            return self._archive()
        if url.path == "/heartbeat":
            version = {"db_version": "2025.09.25", "version": "0.87.3"}
            return self._json(200, version | {"access_controlled_batch_ids": []})
        if self.status != 200:
            return self._json(self.status, {"detail": "forbidden"})
        name = url.path.strip("/").removeprefix("materials/")
        rows = RECORDED[name]
        if name == "summary" and "has_props" in query:
            rows = RECORDED[query["has_props"]]
        for key in ("material_id", "task_id"):
            if wanted := query.get(f"{key}s"):
                ids = validate_ids(wanted.split(","))
                rows = [row for row in rows if validate_ids([row[key]])[0] in ids]
        fields = {field.split(".")[0] for field in query["_fields"].split(",")}
        rows = [{k: v for k, v in row.items() if k in fields} for row in rows]
        self._json(200, {"data": rows, "meta": {"total_doc": len(rows)}})

    def _archive(self):
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        if start >= len(self.archive):
            self.send_response(416)
            return self.end_headers()
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.archive) - start))
        self.end_headers()
        self.wfile.write(self.archive[start : self.cut])

    def _json(self, status, content):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


def point_to(url, monkeypatch, key=KEY):
    settings = pytest.importorskip("mp_api.client.core.settings")
    monkeypatch.setattr(settings.MAPI_CLIENT_SETTINGS, "ENDPOINT", url)
    monkeypatch.setenv("MP_API_KEY", key)


def answers(path):
    return list(read_answers(path, "materials-project"))


def write(path, source, answers):
    begin_or_resume(path, VERSION | {"source": source, "wanted": len(answers)})
    with path.open("ab") as stream:
        stream.write(b"".join(line(*answer) for answer in answers))
    return path
