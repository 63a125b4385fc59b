"""Where crystals come from: files and patterns, folders, lists, databases."""

import ase.db
import pytest
from ase import Atoms
from ase.io import write
from crystals import CRYSTALS

from ase_eqtensor.errors import DataError, StructureError
from ase_eqtensor.files.collections import expand, open_collection


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "b.cif", CRYSTALS["rutile"])
    write(tmp_path / "a.cif", CRYSTALS["quartz"])
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep" / "two.extxyz", [CRYSTALS["rutile"], CRYSTALS["quartz"]])
    (tmp_path / ".hidden").write_text("no crystal")
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a none\n")
    return tmp_path


def crystals(collection) -> dict:
    return dict(one for key in collection.keys() for one in collection.read(key))


def test_a_folder_with_subfolders_and_frames(folder):
    found = crystals(open_collection(str(folder)))
    assert list(found) == ["a.cif", "b.cif", "broken.cif", "deep/two.extxyz#0", "deep/two.extxyz#1"]
    assert len(found["a.cif"]) == len(CRYSTALS["quartz"])
    assert isinstance(found["broken.cif"], StructureError)
    assert list(crystals(open_collection(str(folder), pattern="a*"))) == ["a.cif"]


def test_a_list_is_relative_to_itself_and_names_each_file_once(
    folder, monkeypatch, tmp_path_factory
):
    (folder / "list.txt").write_text("b.cif\n\ndeep/two.extxyz\nb.cif\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    found = crystals(open_collection(str(folder / "list.txt")))
    assert list(found) == ["b.cif", "deep/two.extxyz#0", "deep/two.extxyz#1"]


def test_patterns_and_missing_files(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert list(crystals(expand(["*.cif"]))) == ["a.cif", "b.cif", "broken.cif"]
    assert expand([str(folder / "**" / "*.extxyz")]).keys() == [str(folder / "deep" / "two.extxyz")]
    missing = crystals(expand(["a.cif", "c.cif"]))["c.cif"]
    assert isinstance(missing, StructureError) and "c.cif" in str(missing)
    with pytest.raises(DataError, match="x\\*"):
        expand(["x*.cif"])


def test_a_name_of_digits_can_be_a_key_of_a_database(folder, monkeypatch):
    monkeypatch.chdir(folder)
    write("123", CRYSTALS["rutile"], format="vasp")
    (key,) = expand(["123"]).keys()
    assert key == "./123"
    with ase.db.connect("x.db") as db:
        db.write(Atoms(), source=key)


def test_rows_of_a_database_with_their_keys(folder):
    path = folder / "x.db"
    with ase.db.connect(path) as db:
        db.write(CRYSTALS["rutile"], mp_id="mp-1", gap=3.0)
        db.write(CRYSTALS["quartz"], mp_id="mp-2", gap=6.0)
    found = crystals(open_collection(str(path), "gap>4"))
    assert list(found) == ["x.db#2"]
    assert found["x.db#2"].info["key_value_pairs"] == {"mp_id": "mp-2", "gap": 6.0}


def test_empty_and_unknown_sources_are_errors(folder):
    (folder / "empty").mkdir()
    (folder / "bytes").write_bytes(b"\xff\xfe\x00\x81")
    for source, word in (
        ("empty", "no file in this folder"),
        ("nowhere", "no such"),
        ("bytes", "text file"),
    ):
        with pytest.raises(DataError, match=word):
            open_collection(str(folder / source))
    with pytest.raises(DataError, match="selected"):
        open_collection(str(folder), "gap>4")
