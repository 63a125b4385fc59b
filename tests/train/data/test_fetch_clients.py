"""The real clients of the Materials Project and of JARVIS, against a server on this machine."""

import io
import json
import sys
import threading
import zipfile

import pytest
from fetch_server import ENTRIES, KEY, RECORDED, answers, point_to
from rich.progress import Progress

from ase_eqtensor import commands
from ase_eqtensor.errors import DataError, MissingExtraError
from ase_eqtensor.train.data.fetch import fetch, jarvis, materials_project
from ase_eqtensor.train.data.fetch.file import read_answers, read_header
from ase_eqtensor.train.data.sources.materials_project import MaterialsProjectSource

pytestmark = pytest.mark.usefixtures("small_chunks")


def test_materials_project(fetched, server):
    header = read_header(fetched)
    assert header["database_version"] == "2025.09.25" and header["licence"] == "CC BY 4.0"
    assert header["library"].startswith("mp-api ") and "Petousis" in header["cite"]
    found = {(a.property_set, a.id): a.content for a in answers(fetched)}
    assert found.keys() == {
        (kind, name)
        for kind, names in (
            ("elasticity", ["mp-2646", "mp-2858", "mp-1224"]),
            ("dielectric", ["mp-2646", "mp-2858", "mp-1224", "mp-10919"]),
        )
        for name in names
    }
    assert found["elasticity", "mp-2646"]["documents"] == RECORDED["elasticity"][:1]  # untouched
    assert found["dielectric", "mp-1224"]["documents"] == RECORDED["dielectric"][2:3]
    assert found["dielectric", "mp-1224"]["tasks"] == RECORDED["tasks"][2:3]
    assert "summary" not in found["dielectric", "mp-1224"]
    sent = [(query, headers) for path, query, headers in server.requests if "materials/" in path]
    assert all(headers["x-api-key"] == KEY for _, headers in sent)
    lists = [query for query, _ in sent if "has_props" in query]
    assert lists and all("batch_id_not_eq" in query for query in lists)  # no GNoME materials
    assert KEY not in fetched.read_text()


def test_summary_only_where_the_task_is_missing(server, monkeypatch, tmp_path):
    point_to(server.url, monkeypatch)
    monkeypatch.setitem(RECORDED, "tasks", RECORDED["tasks"][1:])
    path = tmp_path / "mp.jsonl"
    fetch("materials-project", path)
    found = {a.id: a.content for a in answers(path) if a.property_set == "dielectric"}
    assert found["mp-2646"]["summary"] == RECORDED["summary"][:1]
    assert [name for name, content in found.items() if "summary" in content] == ["mp-2646"]
    (row,) = (r for r in MaterialsProjectSource(path).records() if r.source_id == "mp-2646" and
              r.dataset == "dielectric")  # fmt: skip
    assert row.quarantine.startswith("unknown calculation") and "mp-" in row.quarantine


def test_key_from_pymatgen_settings(server, monkeypatch, tmp_path):
    point_to(server.url, monkeypatch)
    monkeypatch.delenv("MP_API_KEY")
    settings = tmp_path / "pmgrc.yaml"
    settings.write_text(f"PMG_MAPI_KEY: {'p' * 32}\n")
    monkeypatch.setenv("PMG_CONFIG_FILE", str(settings))
    monkeypatch.setattr("pymatgen.core._SETTINGS_CACHE", None)
    fetch("materials-project", tmp_path / "mp.jsonl")
    assert server.requests[-1][2]["x-api-key"] == "p" * 32


def test_no_key(monkeypatch, tmp_path):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setitem(__import__("pymatgen.core").core.SETTINGS, "PMG_MAPI_KEY", "")
    with pytest.raises(DataError, match="materialsproject.org/api.*MP_API_KEY.*PMG_MAPI_KEY"):
        fetch("materials-project", tmp_path / "mp.jsonl")
    assert not list(tmp_path.iterdir())


def test_refused_key(server, monkeypatch, tmp_path):
    server.status = 403
    point_to(server.url, monkeypatch)
    with pytest.raises(DataError, match="status code 403.*forbidden") as caught:
        fetch("materials-project", tmp_path / "mp.jsonl")
    assert KEY not in str(caught.value)
    point_to(server.url, monkeypatch, key="short")
    with pytest.raises(DataError, match="32 characters"):
        fetch("materials-project", tmp_path / "mp.jsonl")


def test_no_network(monkeypatch, tmp_path, capsys):
    """The command ends with one line, without a traceback."""
    point_to("http://127.0.0.1:9/", monkeypatch)
    monkeypatch.setattr(sys, "argv", ["eqtensor", "data", "fetch", "materials-project", "x.jsonl"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        commands.main()
    assert "cannot be reached" in caught.value.code and "\n" not in caught.value.code
    assert "Traceback" not in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_server_that_never_answers(monkeypatch, tmp_path, server):
    """It is asked once, and waited for as long as TIMEOUT says."""
    requests = pytest.importorskip("requests")
    timeouts, send, over = [], requests.Session.send, threading.Event()
    monkeypatch.setattr(
        requests.Session,
        "send",
        lambda *given, **options: timeouts.append(options["timeout"]) or send(*given, **options),
    )
    monkeypatch.setattr(server, "do_GET", lambda self: over.wait(15))
    monkeypatch.setattr(materials_project, "TIMEOUT", 0.2)
    point_to(server.url, monkeypatch)
    with pytest.raises(DataError, match="cannot be reached .ReadTimeout"):
        fetch("materials-project", tmp_path / "mp.jsonl")
    over.set()
    assert timeouts == [0.2]


@pytest.mark.parametrize(
    ("source", "module"), [("materials-project", "mp_api.client"), ("jarvis", "jarvis.db")]
)
def test_missing_extra(monkeypatch, tmp_path, source, module):
    monkeypatch.setenv("MP_API_KEY", KEY)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"ase-eqtensor\[fetch\]"):
        fetch(source, tmp_path / "a.jsonl")


def test_unknown_source(tmp_path):
    with pytest.raises(DataError, match="unknown source 'aflow'.*materials-project, jarvis"):
        fetch("aflow", tmp_path / "a.jsonl")


@pytest.fixture
def archive(server, monkeypatch, tmp_path):
    """The folder where jarvis-tools keeps archives, and a server that has the one wanted."""
    figshare = pytest.importorskip("jarvis.db.figshare")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
        without = [ENTRIES[0] | {"jid": "JVASP-99", "elastic_tensor": "na"}]
        zipped.writestr("jdft_3d-1-1-2026.json", json.dumps(ENTRIES + without))
    server.archive = stream.getvalue()
    info = [f"{server.url}a.zip", "jdft_3d-1-1-2026.json", "", "paper\nOther versions:https://x"]
    monkeypatch.setattr(figshare, "get_db_info", lambda: {"dft_3d": info})
    monkeypatch.setenv("ATOMGPTLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jarvis_data"


def test_jarvis(archive, tmp_path, capsys):
    path = tmp_path / "jarvis.jsonl"
    assert fetch("jarvis", path) == (4, 4)
    header = read_header(path)
    assert header["database_version"] == "jdft_3d-1-1-2026"
    assert header["licence"] == "see https://x" and "6, 173 (2020)" in header["cite"]
    assert [a.content for a in read_answers(path, "jarvis")] == ENTRIES
    assert capsys.readouterr().out == ""
    assert fetch("jarvis", path) == (4, 0)


def test_torn_download_goes_on(archive, server, monkeypatch, tmp_path):
    whole = server.archive
    monkeypatch.setattr(jarvis, "BLOCK", 100)
    monkeypatch.setattr(server, "cut", 1000)
    with pytest.raises(DataError, match="cannot be downloaded.*goes on"):
        fetch("jarvis", tmp_path / "jarvis.jsonl")
    (part,) = archive.iterdir()
    assert part.suffix == ".part" and 0 < part.stat().st_size <= 1000
    have = part.stat().st_size
    monkeypatch.setattr(server, "cut", None)
    fetch("jarvis", tmp_path / "jarvis.jsonl")
    assert server.requests[-1][2]["Range"] == f"bytes={have}-"
    (complete,) = archive.iterdir()
    assert complete.read_bytes() == whole
    complete.rename(f"{complete}.part")  # killed before it got its name
    with Progress(disable=True) as bar:
        jarvis.download(f"{server.url}a.zip", complete, bar)
    assert complete.read_bytes() == whole


def test_damaged_archive(archive, tmp_path):
    archive.mkdir(parents=True)
    (archive / "jdft_3d-1-1-2026.json.zip").write_bytes(b"half of it")
    with pytest.raises(DataError, match="damaged.*delete it"):
        fetch("jarvis", tmp_path / "jarvis.jsonl")
