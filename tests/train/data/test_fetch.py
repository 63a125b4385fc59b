"""Fetched tensors: resuming, keys and failures, and the physics of what the sources read.

The answers in data/fetch/ are made by the databases' own libraries (make.py there). The real
clients are tested against a server on this machine.
"""

import copy
import io
import json
import re
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from rich.progress import Progress
from typer.testing import CliRunner

from ase_eqtensor import commands
from ase_eqtensor.commands import app
from ase_eqtensor.errors import DataError, MissingExtraError
from ase_eqtensor.train.data import fetch as fetching
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.fetch import fetch, fetch_from, jarvis, materials_project
from ase_eqtensor.train.data.fetch.file import begin_or_resume, line, read_answers, read_header
from ase_eqtensor.train.data.sources import collect
from ase_eqtensor.train.data.sources.jarvis import JarvisSource
from ase_eqtensor.train.data.sources.materials_project import MaterialsProjectSource
from ase_eqtensor.train.record import Rejection

DATA = Path(__file__).parent / "recorded"
RECORDED = json.loads((DATA / "materials_project.json").read_text())
ENTRIES = json.loads((DATA / "jarvis_dft_3d.json").read_text())
KNOWN = json.loads((DATA / "known.json").read_text())
KEY = "k" * 32
VERSION = {"database_version": "2025.09.25", "library": "x 1", "licence": "CC BY 4.0", "cite": "y"}


class Recorder:
    """A client that knows ten materials, counts what it is asked and fails when told to."""

    name = "materials-project"

    def __init__(self, fail_at=None, error=None, version="2025.09.25"):
        self.fail_at, self.version = fail_at, version
        self.error = error or DataError("no answer")
        self.asked = []

    def header(self):
        return VERSION | {"database_version": self.version}

    def wanted(self, bar):
        return [(kind, f"mp-{n}") for kind in ("elasticity", "dielectric") for n in range(5)]

    def ask(self, property_set, ids):
        if self.fail_at is not None and len(self.asked) >= self.fail_at:
            raise self.error
        self.asked += [(property_set, key) for key in ids]
        return {key: {"documents": [{"é": [1.5, None], "id": key}]} for key in ids}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(fetching, "CHUNK", 2)


@pytest.fixture
def whole(tmp_path):
    """An undisturbed fetch."""
    path = tmp_path / "whole.jsonl"
    assert fetch_from(Recorder(), path) == (10, 10)
    return path


def answers(path):
    return list(read_answers(path, "materials-project"))


def test_file(whole):
    header = read_header(whole)
    assert header["source"] == "materials-project" and header["wanted"] == 10
    assert header.items() >= VERSION.items() and header["begun"]
    found = answers(whole)
    assert [(a.property_set, a.id) for a in found] == Recorder().wanted(None)
    assert found[3].content == {"documents": [{"é": [1.5, None], "id": "mp-3"}]}


@pytest.mark.parametrize("error", [DataError("no answer"), KeyboardInterrupt()])
@pytest.mark.parametrize("torn", [0, 1, 20])
def test_goes_on_after_a_kill(tmp_path, whole, error, torn):
    """Chunks of 2, 2, 1 and 2 are there, the next fails; `torn` bytes of a line are lost."""
    path, first = tmp_path / "a.jsonl", Recorder(fail_at=7, error=error)
    with pytest.raises(type(error)):
        fetch_from(first, path)
    assert len(first.asked) == 7
    if torn:
        path.write_bytes(path.read_bytes()[:-torn])
        with pytest.raises(DataError, match="torn.*eqtensor data fetch materials-project"):
            answers(path)
    second = Recorder()
    left = 3 + bool(torn)
    assert fetch_from(second, path) == (10, left)
    assert second.asked == Recorder().wanted(None)[-left:]
    assert answers(path) == answers(whole)
    assert fetch_from(Recorder(fail_at=0), path) == (10, 0)  # nothing is asked any more


def test_failure_says_what_is_kept(tmp_path):
    with pytest.raises(DataError, match="no answer.*4 of 10 answers; the same command goes on"):
        fetch_from(Recorder(fail_at=4), tmp_path / "a.jsonl")


def test_unfinished_file_is_used_with_a_warning(tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    with pytest.raises(DataError):
        fetch_from(Recorder(fail_at=4), path)
    assert len(answers(path)) == 4
    assert "4 of 10 answers" in caplog.text


def test_other_files_stay_untouched(tmp_path, whole):
    for text in ("", "some notes", '{"format": "other"}\n', "[1]\n"):
        path = tmp_path / "notes.txt"
        path.write_text(text)
        with pytest.raises(DataError, match="is not a file of `eqtensor data fetch`"):
            fetch_from(Recorder(), path)
        assert path.read_text() == text
    before = whole.read_bytes()
    with pytest.raises(DataError, match="database version '2025.09.25', not '2026.01.01'"):
        fetch_from(Recorder(version="2026.01.01"), whole)
    assert whole.read_bytes() == before
    with pytest.raises(DataError, match="fetched from materials-project, not from jarvis"):
        list(JarvisSource(whole).records())


@pytest.mark.parametrize("damage", ["[1, 2", '{"id": "mp-1"}', "twice"])
def test_damaged_line(tmp_path, whole, damage):
    lines = whole.read_text().splitlines(keepends=True)
    lines.insert(4, lines[2] if damage == "twice" else damage + "\n")
    whole.write_text("".join(lines))
    with pytest.raises(DataError, match="line 5 (is damaged|repeats)"):
        answers(whole)
    with pytest.raises(DataError, match="line 5"):
        fetch_from(Recorder(), whole)


# --- the real clients, against a server on this machine


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


@pytest.fixture
def server(monkeypatch):
    handler = type("Handler", (Server,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        handler.url = f"http://127.0.0.1:{running.server_port}/"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield handler
        running.shutdown()


def point_to(url, monkeypatch, key=KEY):
    settings = pytest.importorskip("mp_api.client.core.settings")
    monkeypatch.setattr(settings.MAPI_CLIENT_SETTINGS, "ENDPOINT", url)
    monkeypatch.setenv("MP_API_KEY", key)


@pytest.fixture
def fetched(server, monkeypatch, tmp_path):
    """A file fetched from the server with the real client."""
    point_to(server.url, monkeypatch)
    path = tmp_path / "mp.jsonl"
    assert fetch("materials-project", path).new == 7
    return path


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
    monkeypatch.setattr(server, "do_GET", lambda self: time.sleep(5))
    monkeypatch.setattr(materials_project, "TIMEOUT", 0.2)
    point_to(server.url, monkeypatch)
    start = time.monotonic()
    with pytest.raises(DataError, match="cannot be reached .ReadTimeout"):
        fetch("materials-project", tmp_path / "mp.jsonl")
    assert time.monotonic() - start < 3


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


# --- JARVIS


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


# --- what the sources read


def write(path, source, answers):
    begin_or_resume(path, VERSION | {"source": source, "wanted": len(answers)})
    with path.open("ab") as stream:
        stream.write(b"".join(line(*answer) for answer in answers))
    return path


def rows_of(fetched):
    return {(row.dataset, row.source_id): row for row in MaterialsProjectSource(fetched).records()}


def test_tensors_of_the_materials_project(fetched):
    """They are the known ones in the frame of the structure, and so pass the point group."""
    rows = rows_of(fetched)
    assert len(rows) == 7
    for name, known in KNOWN["elasticity"].items():
        row = rows["elastic", name]
        np.testing.assert_allclose(row.targets["elasticity_tensor"], known, rtol=1e-9, atol=1e-9)
        assert row.source == "materials-project" and row.atoms.pbc.all()
    for name, (electronic, total) in KNOWN["dielectric"].items():
        targets = rows["dielectric", name].targets
        np.testing.assert_allclose(
            targets["electronic_dielectric_tensor"], electronic, atol=1e-3 * np.max(electronic)
        )
        np.testing.assert_allclose(targets["dielectric_tensor"], total, atol=1e-3 * np.max(total))
    for row in rows.values():
        curated = curate(row)
        assert not curated.quarantine and curated.frame_deviation < 1e-3, row.source_id


def changed(property_set, number=0, **fields):
    """One answer whose document has other fields."""
    document = copy.deepcopy(RECORDED[property_set][number]) | fields
    content = {"documents": [document]}
    if property_set == "dielectric":
        content["tasks"] = [RECORDED["tasks"][number]]
    return property_set, "mp-1", content


def one_row(tmp_path, answer):
    path = write(tmp_path / "one.jsonl", "materials-project", [answer])
    (row,) = MaterialsProjectSource(path).records()
    return row


@pytest.mark.parametrize("number", [0, 2])
def test_stiffness_in_the_ieee_frame_is_found_out(tmp_path, number):
    ieee = RECORDED["elasticity"][number]["elastic_tensor"]["ieee_format"]
    row = one_row(tmp_path, changed("elasticity", number, elastic_tensor={"raw": ieee}))
    assert curate(row).quarantine.startswith("wrong frame")


@pytest.mark.parametrize("number", [2, 3])
def test_permittivity_that_was_not_turned_is_found_out(tmp_path, number):
    electronic, total = list(KNOWN["dielectric"].values())[number]
    row = one_row(tmp_path, changed("dielectric", number, electronic=electronic, total=total))
    assert curate(row).quarantine.startswith("wrong frame")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"elastic_tensor": None}, "missing target"),
        ({"elastic_tensor": {"raw": None, "ieee_format": [[1.0]]}}, "missing target"),
        ({"elastic_tensor": {"raw": [[1.0, "x"]]}}, "unreadable: ValueError"),
        ({"structure": None}, "missing structure"),
        ({"structure": {"lattice": 3}}, "unreadable"),
        ({"order": 3}, "another order: .* order 3"),
        ({"state": "failed", "warnings": ["cannot fit"]}, "discarded by .*: cannot fit"),
        ({"deprecated": True}, "discarded by .*: no reason given"),
    ],
)
def test_unusable_stiffness(tmp_path, fields, reason):
    row = one_row(tmp_path, changed("elasticity", **fields))
    assert isinstance(row, Rejection) and (row.dataset, row.source_id) == ("elastic", "mp-1")
    assert row.formula == "Mg3Sb2"
    assert re.match(reason, row.reason)


def test_malformed_tensor_is_rejected_by_curation(tmp_path):
    row = one_row(tmp_path, changed("elasticity", elastic_tensor={"raw": np.eye(3).tolist()}))
    assert curate(row).reason.startswith("wrong shape")
    row = one_row(tmp_path / "b", changed("elasticity", elastic_tensor={"raw": [[None] * 6] * 6}))
    assert curate(row).reason.startswith("not finite")


@pytest.mark.parametrize(
    ("document", "task", "reason"),
    [
        ({"total": None, "electronic": None}, {}, "missing target"),
        ({}, {"input": None}, "missing structure"),
        ({}, {"run_type": "PBEsol"}, "another level of theory: run type PBEsol"),
        ({}, {"run_type": "r2SCAN"}, "another level of theory: run type r2SCAN"),
        ({"total": [[1, 2], [3]]}, {}, "unreadable"),
    ],
)
def test_unusable_permittivity(tmp_path, document, task, reason):
    kind, name, content = changed("dielectric", **document)
    content["tasks"] = [content["tasks"][0] | task]
    row = one_row(tmp_path, (kind, name, content))
    assert isinstance(row, Rejection) and row.dataset == "dielectric"
    assert row.reason.startswith(reason)


def test_partial_permittivity(tmp_path):
    row = one_row(tmp_path, changed("dielectric", total=None))
    assert row.targets.keys() == {"electronic_dielectric_tensor"}
    kind, name, content = changed("dielectric")
    content["tasks"] = [content["tasks"][0] | {"run_type": None}]
    assert one_row(tmp_path / "b", (kind, name, content)).quarantine.startswith(
        "unknown functional"
    )


def test_material_without_document(tmp_path):
    row = one_row(tmp_path, ("dielectric", "mp-7", {"documents": [], "tasks": []}))
    assert row.reason.startswith("missing document") and row.source_id == "mp-7"


def jarvis_rows(tmp_path, *entries):
    answers = [("elasticity", entry["jid"], entry) for entry in entries]
    return list(JarvisSource(write(tmp_path / "j.jsonl", "jarvis", answers)).records())


def test_tensors_of_jarvis(tmp_path):
    """Known in the frame of the conventional cell; VASP's order of the shears is undone."""
    rows = jarvis_rows(tmp_path, *ENTRIES)
    assert [row.reduced_formula for row in rows] == ["SiC", "HgO", "ZrO2", "Mg3Sb2"]
    for row in rows:
        known = KNOWN["jarvis"][row.source_id]
        np.testing.assert_allclose(row.targets["elasticity_tensor"], known, atol=1e-7)
        assert curate(row).frame_deviation < 1e-3, row.reduced_formula
        assert row.source == "jarvis-dft-OptB88vdW"
    # C14 of a primitive trigonal crystal: its sign hangs on the choice of the cell
    assert [bool(curate(row).quarantine) for row in rows] == [False, False, False, True]
    assert rows[3].quarantine.startswith("doubtful frame")


def test_jarvis_tensor_in_another_frame_is_found_out(tmp_path):
    """The entry's own cell is turned: a tensor in the frame of that cell breaks the point group."""
    from ase_eqtensor.tensors.notation import GPA, rotate_stiffness

    entry = copy.deepcopy(ENTRIES[0])
    turn = np.linalg.qr(np.array(entry["atoms"]["lattice_mat"]))[0]
    stiffness = rotate_stiffness(np.array(KNOWN["jarvis"][entry["jid"]]), turn) / GPA
    order = [0, 1, 2, 5, 3, 4]
    entry["elastic_tensor"] = stiffness[np.ix_(order, order)].tolist()
    (row,) = jarvis_rows(tmp_path, entry)
    assert curate(row).frame_deviation > 0.05


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"elastic_tensor": "na"}, "missing target"),
        ({"elastic_tensor": [[1.0, 2.0]]}, "wrong shape: elastic_tensor (1, 2)"),
        ({"elastic_tensor": "garbage"}, "unreadable"),
        ({"func": "PBE"}, "another level of theory: PBE, expected OptB88vdW"),
        ({"atoms": {"elements": ["Si"]}}, "unreadable: KeyError"),
    ],
)
def test_unusable_jarvis_entry(tmp_path, fields, reason):
    (row,) = jarvis_rows(tmp_path, ENTRIES[0] | fields)
    assert isinstance(row, Rejection) and row.formula == "SiC"
    assert row.reason.startswith(reason)


# --- building a database


@pytest.fixture
def both(tmp_path):
    answers = [("elasticity", "mp-1", {"documents": RECORDED["elasticity"][2:3]})]
    entries = [("elasticity", entry["jid"], entry) for entry in ENTRIES]
    return (
        write(tmp_path / "mp.jsonl", "materials-project", answers),
        write(tmp_path / "jarvis.jsonl", "jarvis", entries),
    )


def test_functionals_are_not_mixed_unasked(both, tmp_path):
    mp, other = both
    assert [s.name for s in collect(fetched=[mp])] == ["materials-project", "matminer-0.3.9"]
    assert [s.name for s in collect(fetched=[other], matminer=False)] == ["jarvis-dft-OptB88vdW"]
    mine = collect(files=[tmp_path], fetched=[other], matminer=False)
    assert [s.name for s in mine] == ["user", "jarvis-dft-OptB88vdW"]
    for options in (
        {"fetched": [other]},  # with matminer
        {"fetched": [mp, other], "matminer": False},
        {"fetched": [other], "moduli": tmp_path, "matminer": False},
    ):
        with pytest.raises(DataError, match=r"jarvis-dft-OptB88vdW \(OptB88vdW\).*--no-public"):
            collect(**options)
        assert collect(**options, mix_functionals=True)


def test_build(both, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    command = ["data", "build", str(tmp_path / "a.db"), "--no-public", "--fetched", str(both[0])]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    mixed = [*command, "--overwrite", "--fetched", str(both[1])]
    result = CliRunner().invoke(app, mixed)
    assert isinstance(result.exception, DataError) and "--mix-functionals" in str(result.exception)
    result = CliRunner().invoke(app, [*mixed, "--mix-functionals"])
    assert result.exit_code == 0 and "1 elastic rows quarantined: doubtful frame" in result.output


def test_not_a_fetched_file(tmp_path, both):
    path = tmp_path / "x.jsonl"
    path.write_text("[]\n")
    with pytest.raises(DataError, match="x.jsonl is not a file of"):
        collect(fetched=[path], matminer=False)
    path.write_text(both[0].read_text().replace("materials-project", "aflow"))
    with pytest.raises(DataError, match="unknown source 'aflow'"):
        collect(fetched=[path], matminer=False)
