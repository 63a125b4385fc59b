"""Tensors are read from what programs write, in the units and the order of the package, and the
command says, writes and returns what it found."""

import json

import numpy as np
import pytest
import vasp_files
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db import connect
from ase.io import read, write
from typer.testing import CliRunner

from ase_eqtensor import load, tensors_of
from ase_eqtensor.analysis import structure_of
from ase_eqtensor.checking.given import Given, read_given, read_tensor, shaped
from ase_eqtensor.commands import app
from ase_eqtensor.errors import DataError, StructureError
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.tensors.notation import GPA, voigt_to_cartesian

MAGNESIA = bulk("MgO", "rocksalt", a=4.25)
C = np.diag([290.0, 290, 290, 145, 145, 145])
C[:3, :3] += 92 - 92 * np.eye(3)
VASP_ORDER = [0, 1, 2, 5, 3, 4]


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *arguments: CliRunner().invoke(app, ["check", *map(str, arguments)])


def one(path, structure=None) -> Given:
    (given,) = read_given(path, structure)
    assert isinstance(given, Given), given
    return given


def test_outcar_in_kilobar_and_the_order_of_vasp(tmp_path):
    rng = np.random.default_rng(0)
    ours = rng.normal(size=(6, 6))
    ours = np.round(100 * (ours + ours.T), 1)
    vasp = ours[np.ix_(VASP_ORDER, VASP_ORDER)]
    electronic, ionic = np.diag([3.0, 3.1, 3.2]), np.diag([7.0, 7.1, 7.2])
    path = tmp_path / "OUTCAR"
    path.write_text(
        vasp_files.outcar(
            vasp_files.stiffness("SYMMETRIZED ELASTIC MODULI", 2 * vasp),
            vasp_files.stiffness("TOTAL ELASTIC MODULI", vasp),
            vasp_files.permittivity(electronic, ionic),
        )
    )
    given = one(path)
    assert len(given.atoms) == 8 and not given.clamped
    np.testing.assert_allclose(given.tensors[STIFFNESS.name], ours / 10 * GPA)
    np.testing.assert_allclose(given.tensors[ELECTRONIC.name], electronic)
    np.testing.assert_allclose(given.tensors[TOTAL.name], electronic + ionic)


def test_an_outcar_without_ionic_part_says_so(run, tmp_path):
    kbar = (10 * C)[np.ix_(VASP_ORDER, VASP_ORDER)]
    text = vasp_files.outcar(vasp_files.stiffness("SYMMETRIZED ELASTIC MODULI", kbar))
    (tmp_path / "OUTCAR").write_text(text)
    assert one(tmp_path / "OUTCAR").clamped == {STIFFNESS.name}
    result = run("OUTCAR")
    assert result.exit_code == 3 and "clamped ions" in result.stdout


def test_born_takes_the_crystal_beside_it(tmp_path):
    numbers = "3.2 0 0 0 3.2 0 0 0 3.2"
    (tmp_path / "BORN").write_text(f"14.400\n{numbers}\n2 0 0 0 2 0 0 0 2\n")
    (error,) = read_given(tmp_path / "BORN")
    assert isinstance(error, DataError) and "--structure" in str(error)
    write(tmp_path / "POSCAR", MAGNESIA, format="vasp")
    given = one(tmp_path / "BORN")
    assert len(given.atoms) == 2
    np.testing.assert_allclose(given.tensors[ELECTRONIC.name], 3.2 * np.eye(3))
    cell = "\n".join(f"  - {row.tolist()}" for row in np.array(MAGNESIA.cell))
    points = "".join(
        f"  - symbol: {symbol}\n    coordinates: {place.tolist()}\n"
        for symbol, place in zip(MAGNESIA.symbols, MAGNESIA.get_scaled_positions())
    )
    yaml = f"primitive_cell:\n  lattice:\n{cell}\n  points:\n{points}"
    (tmp_path / "phonopy.yaml").write_text(yaml)
    (tmp_path / "POSCAR").unlink()
    atoms = one(tmp_path / "BORN").atoms
    np.testing.assert_allclose(atoms.cell, MAGNESIA.cell)
    np.testing.assert_allclose(atoms.get_scaled_positions(), MAGNESIA.get_scaled_positions())
    (tmp_path / "BORN").write_text("14.400\n3.2 0 0\n")
    assert isinstance(read_given(tmp_path / "BORN")[0], DataError)


def test_names_of_other_programs_in_files_of_ase(tmp_path):
    atoms = MAGNESIA.copy()
    atoms.info["elastic_tensor"] = C
    atoms.calc = SinglePointCalculator(atoms, dielectric_tensor=9.0 * np.eye(3))
    write(tmp_path / "a.extxyz", atoms)
    with connect(tmp_path / "a.db") as db:
        db.write(MAGNESIA, data={"elastic_tensor": C, "e_total": 9.0 * np.eye(3)})
    for name in ("a.extxyz", "a.db"):
        given = one(tmp_path / name)
        np.testing.assert_allclose(given.tensors[STIFFNESS.name], C * GPA)
        np.testing.assert_allclose(given.tensors[TOTAL.name], 9.0 * np.eye(3))
    write(tmp_path / "b.extxyz", MAGNESIA)
    (error,) = read_given(tmp_path / "b.extxyz")
    assert isinstance(error, DataError) and "--tensor" in str(error)


def test_documents_of_the_materials_project(tmp_path):
    structure = structure_of(MAGNESIA).as_dict()
    e = np.zeros((3, 6))
    e[2, 2] = 1.0
    documents = [
        {"structure": structure, "elastic_tensor": {"raw": C.tolist(), "ieee_format": None}},
        {"structure": structure, "total": (9 * np.eye(3)).tolist(),
         "electronic": (3 * np.eye(3)).tolist(), "ionic": (6 * np.eye(3)).tolist()},
        {"structure": structure, "total": e.tolist()},
        {"total": e.tolist()},
    ]  # fmt: skip
    (tmp_path / "mp.json").write_text(json.dumps(documents))
    elastic, dielectric, piezo, error = read_given(tmp_path / "mp.json")
    np.testing.assert_allclose(elastic.tensors[STIFFNESS.name], C * GPA)
    assert set(dielectric.tensors) == {TOTAL.name, ELECTRONIC.name}
    assert piezo.tensors[PIEZOELECTRIC.name][2, 2] == pytest.approx(1 / C_PER_M2)
    assert isinstance(error, StructureError) and "#3: there is no" in str(error)


def test_shapes_that_people_use():
    rng = np.random.default_rng(1)
    c = C + rng.normal(size=(6, 6))
    c = c + c.T
    for value in (c, c.ravel(), c[np.triu_indices(6)], voigt_to_cartesian(c)):
        np.testing.assert_allclose(shaped(STIFFNESS, value), c)
    e = rng.normal(size=(3, 6))
    for value in (e, e.ravel(), e.T):
        np.testing.assert_allclose(shaped(PIEZOELECTRIC, value), e)
    np.testing.assert_allclose(shaped(TOTAL, [1, 2, 3, 4, 5, 6]), [[1, 6, 5], [6, 2, 4], [5, 4, 3]])
    assert shaped(STIFFNESS, np.eye(3)) is None and shaped(TOTAL, "see the paper") is None


def test_a_tensor_in_a_file_of_its_own(tmp_path):
    np.savetxt(tmp_path / "c.txt", 10 * C)
    np.save(tmp_path / "c.npy", C)
    np.savetxt(tmp_path / "eps.csv", np.eye(3), delimiter=",")
    name, array = read_tensor(tmp_path / "c.txt", None, "kbar")
    assert name == STIFFNESS.name
    np.testing.assert_allclose(array, C * GPA)
    np.testing.assert_allclose(read_tensor(tmp_path / "c.npy", None, None)[1], C * GPA)
    assert read_tensor(tmp_path / "eps.csv", None, None)[0] == TOTAL.name
    assert read_tensor(tmp_path / "eps.csv", ELECTRONIC.stem, None)[0] == ELECTRONIC.name
    for quantity, unit in (("hardness", None), (None, "furlong"), (PIEZOELECTRIC.name, None)):
        with pytest.raises(DataError):
            read_tensor(tmp_path / "c.txt", quantity, unit)


@pytest.mark.parametrize("suffix", ["extxyz", "db", "json", "traj"])
def test_the_command_repairs_and_keeps_what_was_given(run, tmp_path, suffix):
    atoms = MAGNESIA.copy()
    atoms.info |= {"elastic_tensor": 10 * C, "note": "from a colleague"}
    write(tmp_path / "in.extxyz", atoms)
    result = run("in.extxyz", "-o", f"out.{suffix}")
    assert result.exit_code == 3 and "kbar taken for GPa" in result.stdout
    (image,) = load(tmp_path / f"out.{suffix}")
    np.testing.assert_allclose(tensors_of(image)[STIFFNESS.name], C * GPA, atol=1e-9)
    assert image.info["note"] == "from a colleague"
    np.testing.assert_allclose(image.info[f"given_{STIFFNESS.key}"], 10 * C * GPA)
    assert image.info["eqtensor_check"][STIFFNESS.name]["status"] == "wrong"
    again = run(f"out.{suffix}")
    assert again.exit_code == 0 and "fine" in again.stdout
    refused = run("in.extxyz", "-o", f"out.{suffix}")
    assert refused.exit_code == 1 and "exists" in str(refused.exception)


def test_json_has_everything_and_bad_files_do_not_stop_the_others(run, tmp_path):
    np.savetxt(tmp_path / "c.txt", C)
    write(tmp_path / "MgO.cif", bulk("MgO", "rocksalt", a=4.25, cubic=True))
    result = run("MgO.cif", "--tensor", "c.txt", "--json")
    (entry,) = json.loads(result.stdout)
    verdict = entry["tensors"][STIFFNESS.name]
    assert result.exit_code == 0 and verdict["status"] == "fine"
    assert verdict["unit"] == STIFFNESS.unit and verdict["evidence"]["error"] < 0.3
    atoms = read(tmp_path / "MgO.cif")
    atoms.info["elastic_tensor"] = C
    write(tmp_path / "good.extxyz", atoms)
    write(tmp_path / "rhombohedral.cif", MAGNESIA)  # which lacks the orientation of the cell
    turned = run("rhombohedral.cif", "--tensor", "c.txt")
    assert turned.exit_code == 3 and "wrong: frame" in turned.stdout
    mixed = run("good.extxyz", "absent.extxyz")
    assert mixed.exit_code == 3 and "absent.extxyz" in mixed.stderr and "fine" in mixed.stdout
    assert run("absent.extxyz").exit_code == 1
