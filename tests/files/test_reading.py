"""Files as they come: odd names, marks, compression, damage; each crystal is what the file says."""

import gzip
import os

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write
from crystals import CRYSTALS

from ase_eqtensor.errors import DataError, StructureError
from ase_eqtensor.files.collections import Files, open_collection
from ase_eqtensor.files.reading import read_crystals

SILICON, MAGNESIA = bulk("Si"), bulk("MgO", "rocksalt", a=4.21)


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "name", ["POSCAR@300K", "a b.vasp", " POSCAR", "POSCAR[1]", "postgres.vasp", "mysql.vasp", "7"]
)
def test_names_are_taken_literally(name):
    write("POSCAR", SILICON, format="vasp")
    write("mgo", MAGNESIA, format="vasp")
    os.rename("mgo", name)
    if "." not in name and "POSCAR" not in name:
        os.rename(name, "POSCAR7")
        name = "POSCAR7"
    ((label, atoms),) = [item for key in Files((name,)).keys() for item in Files((name,)).read(key)]
    assert label == name and sorted(set(atoms.symbols)) == ["Mg", "O"]


def test_a_cif_is_a_cif_whatever_else_its_name_says():
    for name in ("POSCAR.cif", "OUTCAR@2.CIF", "x.mcif", "XDATCAR.cif"):
        write("a.cif", MAGNESIA)
        os.rename("a.cif", name)
        (atoms,) = read_crystals(name)
        assert len(atoms) == 2, name


def test_bytes_that_are_no_text_in_a_name():
    write("a.vasp", SILICON)
    os.rename(b"a.vasp", b"caf\xe9\n.vasp")
    files = open_collection(".", pattern="*.vasp")
    (key,) = files.keys()
    assert key == "caf\\udce9\\n.vasp" and key.isprintable()
    ((_, atoms),) = files.read(key)
    assert len(atoms) == 2


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["a.cif", "a.vasp", "a.extxyz"])
def test_marks_and_line_ends_of_other_systems(name, mark):
    write("plain" + name[1:], MAGNESIA)
    with open("plain" + name[1:]) as file:
        text = file.read()
    with open(name, "w", encoding=mark, newline="\r\n") as file:
        file.write(text)
    (atoms,) = read_crystals(name)
    assert atoms.get_chemical_formula() == "MgO"


def test_a_list_with_a_mark():
    write("si.cif", SILICON)
    with open("list.txt", "wb") as file:
        file.write("\ufeffsi.cif\r\nsi.cif\r\n".encode())
    assert open_collection("list.txt").keys() == ["si.cif"]


def test_compressed_files_and_pipes():
    write("plain.cif", MAGNESIA)
    with open("plain.cif", "rb") as file:
        content = file.read()
    with gzip.open("a@1.cif.gz", "wb") as file:
        file.write(content)
    assert len(read_crystals("a@1.cif.gz")[0]) == 2
    read, send = os.pipe()
    os.write(send, content)
    os.close(send)
    assert len(read_crystals(f"/dev/fd/{read}")[0]) == 2
    os.close(read)


def test_what_is_no_crystal_is_named_with_a_remedy():
    with open("noise.bin", "wb") as file:
        file.write(np.random.default_rng(0).bytes(300))
    open("empty.cif", "w").close()
    with open("text.cif", "w") as file:
        file.write("not a CIF\n")
    with open("POSCAR", "w") as file:
        file.write("Si\n1.0\nnothing\n")
    for name, word in (
        ("noise.bin", "no such format"),
        (".", "is a folder"),
        ("missing.cif", "no such file"),
        ("empty.cif", "empty"),
        ("text.cif", "no well-formed CIF"),
        ("POSCAR", "damaged"),
    ):
        (error,) = read_crystals(name)
        assert isinstance(error, StructureError) and word in str(error), name
        assert "AssertionError" not in str(error)
    with open("binary.txt", "wb") as file:
        file.write(b"\x00\x01")
    with pytest.raises(DataError, match="UTF-8"):
        open_collection("binary.txt")


def test_a_bad_frame_costs_that_frame_only():
    write("good.extxyz", [MAGNESIA] * 3)
    with open("good.extxyz") as file:
        lines = file.read().splitlines(keepends=True)
    lines[6] = lines[6].replace("Mg", "Mg x")
    with open("bad.extxyz", "w") as file:
        file.writelines(lines)
    kinds = [type(frame).__name__ for frame in read_crystals("bad.extxyz")]
    assert kinds == ["Atoms", "StructureError", "Atoms"]
    with open("short.extxyz", "w") as file:
        file.writelines(lines[:-1])
    assert isinstance(read_crystals("short.extxyz")[-1], StructureError)


def test_rows_of_a_database_come_with_what_they_hold():
    from ase.db import connect

    with connect("a.db") as db:
        db.write(CRYSTALS["rutile"], gap=3.0, data={"note": "measured"})
    (atoms,) = read_crystals("a.db")
    assert atoms.info["note"] == "measured" and atoms.info["key_value_pairs"] == {"gap": 3.0}
