"""Fixtures: a server that gives the recorded answers, and a file fetched from it."""

import threading
from http.server import ThreadingHTTPServer

import pytest
from fetch_server import Server, point_to

from ase_eqtensor.train.data import fetch as fetching


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(fetching, "CHUNK", 2)


@pytest.fixture
def server(monkeypatch):
    handler = type("Handler", (Server,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        handler.url = f"http://127.0.0.1:{running.server_port}/"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield handler
        running.shutdown()


@pytest.fixture
def fetched(server, monkeypatch, tmp_path):
    """A file fetched from the server with the real client."""
    point_to(server.url, monkeypatch)
    path = tmp_path / "mp.jsonl"
    assert fetching.fetch("materials-project", path).new == 7
    return path
