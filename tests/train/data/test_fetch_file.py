"""The file of fetched answers: resuming, damage, files of other origin; with a made-up client."""

import pytest
from fetch_server import VERSION, answers

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.data.fetch import fetch_from
from ase_eqtensor.train.data.fetch.file import read_header
from ase_eqtensor.train.data.sources.jarvis import JarvisSource

pytestmark = pytest.mark.usefixtures("small_chunks")


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


@pytest.fixture
def whole(tmp_path):
    """An undisturbed fetch."""
    path = tmp_path / "whole.jsonl"
    assert fetch_from(Recorder(), path) == (10, 10)
    return path


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
