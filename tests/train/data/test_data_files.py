"""The user's own files: every format, every way to give a tensor, every mistake named."""

import json

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from pymatgen.core import Structure

from ase_eqtensor.errors import DataError
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.database import build_database, read_database
from ase_eqtensor.train.data.sources.files import FilesSource

STIFFNESS = np.diag([37.0, 37, 37, 13, 13, 13])
STIFFNESS[:3, :3] += 13
EPS = {"electronic_dielectric_tensor": 2.4 * np.eye(3), "dielectric_tensor": 5.5 * np.eye(3)}


def nacl():
    return bulk("NaCl", "rocksalt", a=5.6)


def rows(*paths):
    return list(FilesSource(paths).records())


def write_extxyz(path, *infos, atoms=None):
    images = []
    for info in infos:
        image = nacl() if atoms is None else atoms.copy()
        image.info.update(info)
        images.append(image)
    ase.io.write(path, images, format="extxyz")
    return path


def write_json(path, *entries):
    structure = Structure([[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]], ["Na", "Cl"],
                          [[0, 0, 0], [0.5, 0.5, 0.5]])  # fmt: skip
    path.write_text(json.dumps([{"structure": structure.as_dict()} | e for e in entries]))
    return path


@pytest.mark.parametrize(
    "info",
    [
        {"elasticity_tensor": STIFFNESS * GPA},
        {"elasticity_tensor": (STIFFNESS * GPA).ravel()},
        {"elasticity_tensor_gpa": STIFFNESS},
        {"elasticity_tensor_gpa": STIFFNESS.ravel(), "comment": "flat"},
    ],
)
def test_extxyz_stiffness(tmp_path, info):
    (row,) = rows(write_extxyz(tmp_path / "a.extxyz", info))
    assert (row.dataset, row.source, row.source_id) == ("elastic", "user", "a.extxyz#0")
    np.testing.assert_allclose(row.targets["elasticity_tensor"], STIFFNESS * GPA, atol=1e-8)
    assert row.atoms.info == {}
    assert row.atoms == nacl()


def test_a_damaged_frame_is_named(tmp_path):
    path = write_extxyz(tmp_path / "a.extxyz", *[{"elasticity_tensor": STIFFNESS * GPA}] * 2)
    path.write_text(path.read_text().replace("Properties=", "Properties=?", 1))
    with pytest.raises(DataError, match="a.extxyz#0"):
        rows(path)


def test_extxyz_permittivity(tmp_path):
    rng = np.random.default_rng(0)
    given = {name: tensor + 0.1 * rng.random((3, 3)) for name, tensor in EPS.items()}
    given = {name: (tensor + tensor.T) / 2 for name, tensor in given.items()}
    for kind in ("flat", "nested"):
        info = {n: t.ravel() if kind == "flat" else t for n, t in given.items()}
        (row,) = rows(write_extxyz(tmp_path / f"{kind}.xyz", info))
        assert row.dataset == "dielectric"
        for name, tensor in given.items():
            np.testing.assert_allclose(row.targets[name], tensor, atol=1e-7)


@pytest.mark.parametrize("name", EPS)
def test_one_permittivity_alone(tmp_path, name):
    path = write_extxyz(tmp_path / "a.xyz", {name: EPS[name]})
    build_database(tmp_path / "a.db", [FilesSource([path])])
    (row,) = read_database(tmp_path / "a.db")
    assert (row.dataset, row.quarantine) == ("dielectric", "") and row.targets.keys() == {name}
    np.testing.assert_allclose(row.targets[name], EPS[name], atol=1e-7)


def test_one_crystal_in_several_data_sets(tmp_path):
    info = {"elasticity_tensor_gpa": STIFFNESS, "formation_energy": -2.0, "k_vrh_gpa": 25.0} | EPS
    first, second, third = rows(write_extxyz(tmp_path / "a.xyz", info))
    assert [r.dataset for r in (first, second, third)] == [
        "elastic",
        "dielectric",
        "formation_energy",
    ]
    assert third.targets == {"formation_energy": -2.0}


def test_ase_db(tmp_path):
    with ase.db.connect(tmp_path / "mine.db") as db:
        db.write(nacl(), data={"elasticity_tensor": STIFFNESS * GPA})
        db.write(nacl(), k_vrh_gpa=25.0, g_vrh_gpa=15.0, data={"note": [1, 2]})
    elastic, moduli = rows(tmp_path / "mine.db")
    np.testing.assert_allclose(elastic.targets["elasticity_tensor"], STIFFNESS * GPA)
    assert moduli.targets == {"k_vrh_gpa": 25.0, "g_vrh_gpa": 15.0}
    assert moduli.source_id == "mine.db#1"


def test_pymatgen_json(tmp_path):
    path = write_json(
        tmp_path / "mine.json",
        {"elasticity_tensor_gpa": STIFFNESS.tolist(), "material_id": "x"},
        {name: tensor.ravel().tolist() for name, tensor in EPS.items()},
    )
    elastic, dielectric = rows(path)
    np.testing.assert_allclose(elastic.targets["elasticity_tensor"], STIFFNESS * GPA)
    np.testing.assert_allclose(elastic.atoms.positions[1], [2.8, 2.8, 2.8])
    np.testing.assert_allclose(dielectric.targets["dielectric_tensor"], 5.5 * np.eye(3))


def test_own_files_go_through_the_same_curation(tmp_path):
    wrong_unit = write_extxyz(tmp_path / "a.xyz", {"elasticity_tensor": STIFFNESS})
    good = write_json(tmp_path / "b.json", {"elasticity_tensor_gpa": STIFFNESS.tolist()})
    report = build_database(tmp_path / "out.db", [FilesSource([wrong_unit, good])])
    assert report.reasons() == {("elastic", "quarantined", "absurd modulus"): 1}
    assert "unit" in report.problems[0].reason
    first, second = read_database(tmp_path / "out.db")
    assert first.quarantine and not second.quarantine
    assert first.fold == second.fold == 2


SPOILT = {
    "no target": ({"elasticity": STIFFNESS}, "did you mean elasticity_tensor"),
    "nothing": ({}, "known keys are"),
    "short": ({"elasticity_tensor": np.arange(21.0)}, "expected 36 numbers"),
    "text": ({"formation_energy": "low"}, "formation_energy"),
    "two units": (
        {"elasticity_tensor": STIFFNESS, "elasticity_tensor_gpa": STIFFNESS},
        "keep one",
    ),
    "half": ({"k_vrh_gpa": 25.0}, "k_vrh_gpa without g_vrh_gpa"),
}


@pytest.mark.parametrize("info, remedy", SPOILT.values(), ids=SPOILT)
def test_mistakes_name_file_index_and_remedy(tmp_path, info, remedy):
    good = {"elasticity_tensor_gpa": STIFFNESS}
    path = write_extxyz(tmp_path / "mine.xyz", good, info)
    with pytest.raises(DataError, match=f"mine.xyz#1.*{remedy}"):
        rows(path)


def test_not_a_crystal(tmp_path):
    molecule = Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 2.4]])
    path = write_extxyz(tmp_path / "mine.xyz", {"formation_energy": -2.0}, atoms=molecule)
    with pytest.raises(DataError, match="mine.xyz#0.*periodic"):
        rows(path)


def test_partial_occupancy(tmp_path):
    structure = Structure(np.eye(3) * 4, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([{"structure": structure.as_dict(), "formation_energy": -1.0}]))
    with pytest.raises(DataError, match="mine.json#0.*occupanc"):
        rows(path)


@pytest.mark.parametrize("name", ["mine.json", "mine.xyz", "mine.db"])
def test_broken_file(tmp_path, name):
    (tmp_path / name).write_text("2\nnot what the name says\n")
    with pytest.raises(DataError, match=name):
        rows(tmp_path / name)


def test_other_json(tmp_path):
    for name, content in {"a.json": {"structure": 1}, "b.json": [{"a": 1}], "c.json": []}.items():
        (tmp_path / name).write_text(json.dumps(content))
        with pytest.raises(DataError, match=name):
            rows(tmp_path / name)


def test_unknown_or_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"\.extxyz"):
        rows(tmp_path / "mine.cif")
    with pytest.raises(DataError, match="no such file"):
        rows(tmp_path / "mine.xyz")
