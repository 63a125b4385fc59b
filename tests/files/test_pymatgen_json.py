"""Structures of pymatgen in JSON are read like files of ASE's formats."""

import io
import json
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from ase_eqtensor.errors import StructureError
from ase_eqtensor.files.reading import is_crystal_file, read_crystals

MGO, GAN = bulk("MgO", "rocksalt", a=4.2), bulk("GaN", "wurtzite", a=3.19, c=5.19)


def told(atoms: Atoms) -> dict:
    return AseAtomsAdaptor.get_structure(atoms).as_dict()


def written(tmp_path, content) -> str:
    path = tmp_path / "crystals.json"
    path.write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize(
    "content",
    [
        [told(MGO), told(GAN)],
        [{"material_id": "mp-1265", "structure": told(MGO)}, {"structure": told(GAN), "e": [1]}],
    ],
    ids=["structures", "documents"],
)
def test_lists(tmp_path, content):
    path = written(tmp_path, content)
    assert is_crystal_file(tmp_path / "crystals.json")
    for found, expected in zip(read_crystals(path), (MGO, GAN), strict=True):
        np.testing.assert_array_equal(found.numbers, expected.numbers)
        # pymatgen keeps atoms inside the cell
        np.testing.assert_allclose(found.cell, expected.cell, atol=1e-12)
        assert found.pbc.all()


def test_a_single_structure_from_file_and_standard_input(tmp_path, monkeypatch):
    text = json.dumps(told(GAN))
    (from_file,) = read_crystals(written(tmp_path, told(GAN)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    (from_input,) = read_crystals("-")
    for found in (from_file, from_input):
        assert found.get_chemical_formula() == "Ga2N2"


def test_broken_ones_do_not_stop_the_others(tmp_path):
    damaged = told(MGO) | {"sites": [{"species": 1}]}
    content = [told(MGO), {"structure": 3}, damaged, {"lattice": 1}, told(GAN)]
    first, *bad, last = read_crystals(written(tmp_path, content))
    assert isinstance(first, Atoms) and isinstance(last, Atoms)
    assert all(isinstance(error, StructureError) for error in bad)
    assert "Structure.as_dict()" in str(bad[0]) and "damaged" in str(bad[1])
    (error,) = read_crystals(written(tmp_path, [1, "lattice"]))
    assert "no structures of pymatgen" in str(error)
    (tmp_path / "crystals.json").write_text('{"lattice": ')
    (error,) = read_crystals(tmp_path / "crystals.json")
    assert "no JSON, or damaged" in str(error)


def test_partial_occupancy_is_told(tmp_path):
    mixed = Structure([[3, 0, 0], [0, 3, 0], [0, 0, 3]], [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]])
    (error,) = read_crystals(written(tmp_path, mixed.as_dict()))
    assert "partial occupancy" in str(error)


def test_databases_of_ase_stay_what_they_are(tmp_path):
    write(tmp_path / "ase.json", [MGO, GAN])
    assert [len(atoms) for atoms in read_crystals(tmp_path / "ase.json")] == [2, 4]
