"""The public sources, on a tiny made-up archive and table in the layout of the real ones."""

import gzip
import io
import json
import subprocess
import tarfile
from hashlib import sha256

import numpy as np
import pytest

from ase_eqtensor.errors import DataError
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.database import build_database, read_database
from ase_eqtensor.train.data.sources import collect, matminer
from ase_eqtensor.train.data.sources.frames import Frame
from ase_eqtensor.train.data.sources.matminer import MatminerSource
from ase_eqtensor.train.data.sources.moduli import ModuliSource
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import targets

REF = "# ref: Someone, A. & Other, B. A paper, with commas. J. Data 1, 1 (2015)."
NACL = """Na1 Cl1
1.0
0.0 2.8 2.8
2.8 0.0 2.8
2.8 2.8 0.0
Na Cl
1 1
direct
0.0 0.0 0.0 Na
0.5 0.5 0.5 Cl
"""
WURTZITE = """Zn2 S2
1.0
3.8 0.0 0.0
-1.9 3.290896534 0.0
0.0 0.0 6.2
Zn S
2 2
direct
0.333333333 0.666666667 0.0 Zn
0.666666667 0.333333333 0.5 Zn
0.333333333 0.666666667 0.375 S
0.666666667 0.333333333 0.875 S
"""
TRICLINIC = """K1 Cl1 O1
1.0
0.3 3.5 3.8
3.6 0.1 2.8
2.8 2.9 0.0
K Cl O
1 1 1
direct
0.0 0.0 0.0 K
0.5 0.5 0.6 Cl
0.2 0.3 0.1 O
"""
NAN = NACL.replace("Cl", "N")
STIFFNESS = np.diag([37.0, 37, 37, 13, 13, 13])
STIFFNESS[:3, :3] += 13
POLAR = [[0, 0, 0, 0, -0.1, 0], [0, 0, 0, -0.1, 0, 0], [-0.2, -0.2, 0.4, 0, 0, 0]]
STRUCTURE = {
    "@class": "Structure",
    "@module": "pymatgen.core.structure",
    "lattice": {"matrix": [[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]], "a": 2.97},
    "sites": [
        {"label": "Mg", "abc": [0, 0, 0], "species": [{"occu": 1, "element": "Mg"}]},
        {"label": "O", "abc": [0.5, 0.5, 0.5], "species": [{"occu": 1, "element": "O"}]},
    ],
}
HALF = json.loads(json.dumps(STRUCTURE).replace('"occu": 1', '"occu": 0.5'))


def csv_text(header, rows):
    """Rows may be one cell longer than the header: the real files start with a nameless number."""
    cells = [",".join('"' + str(c).replace('"', '""') + '"' for c in row) for row in rows]
    return "\n".join([REF, ",".join(header), *cells]) + "\n"


FILES = {
    "elastic_tensor.csv": csv_text(
        ["idx", "elastic_tensor", "elastic_tensor_original", "formula", "material_id", "poscar"],
        [
            [0, np.eye(6).tolist(), STIFFNESS.tolist(), "NaCl", "mp-1", NACL],
            [1, np.eye(6).tolist(), STIFFNESS.tolist(), "NaN", "mp-2", NAN],
            [2, np.eye(6).tolist(), "[[1.0, 2.0", "NaCl", "mp-3", NACL],
        ],
    ),
    "dielectric_constant.csv": csv_text(
        ["idx", "e_electronic", "e_total", "poscar", "material_id", "formula"],
        [[0, 7, (2.4 * np.eye(3)).tolist(), (5.5 * np.eye(3)).tolist(), NACL, "mp-4", "NaCl"]],
    ),
    "piezoelectric_tensor.csv": csv_text(
        ["idx", "piezoelectric_tensor", "poscar", "formula", "material_id"],
        [
            [0, 7, POLAR, WURTZITE, "ZnS", "mp-5"],
            [1, 8, np.eye(3, 6).tolist(), WURTZITE, "ZnS", "mp-6"],
            [2, 9, POLAR, TRICLINIC, "KClO", "mp-9"],
            [3, 10, POLAR, WURTZITE, "ZnS", "mp-10"],
        ],
    ),
    "flla_2015.csv": csv_text(
        ["material_id", "formula", "structure", "formation_energy_per_atom", "formation_energy"],
        [
            ["mp-7", "{'Mg': 1.0, 'O': 1.0}", STRUCTURE, -3.0, -6.0],
            ["mp-8", "{'Mg': 1.0, 'O': 1.0}", HALF, -3.0, -6.0],
        ],
    ),
}


def make_archive(path, files=FILES):
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            data = text.encode()
            info = tarfile.TarInfo(f"matminer-0.3.9/matminer/datasets/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path, sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    turned = Frame(np.diag([1.0, -1.0, -1.0]), 0.1)
    frames = {"mp-5": [Frame(np.eye(3), 0.0), turned], "mp-10": [Frame(np.eye(3), 0.0)]}
    monkeypatch.setattr(matminer, "read_frames", lambda: frames)
    return make_archive(tmp_path / "matminer-0.3.9.tar.gz")


def by_id(items):
    return {item.source_id: item for item in items}


def test_matminer_rows(archive, tmp_path):
    rows = by_id(MatminerSource(*archive).records())
    assert len(rows) == 10
    nacl = rows["mp-1"]
    assert (nacl.dataset, nacl.source, nacl.reduced_formula) == (
        "elastic",
        "matminer-0.3.9",
        "NaCl",
    )
    np.testing.assert_allclose(nacl.targets["elasticity_tensor"], STIFFNESS * GPA)
    np.testing.assert_allclose(nacl.atoms.cell[0], [0, 2.8, 2.8])
    assert nacl.atoms.pbc.all()
    assert rows["mp-2"].reduced_formula == "NaN"  # a compound, not a gap in the table
    assert rows["mp-4"].targets["electronic_dielectric_tensor"][1, 1] == 2.4
    assert rows["mp-4"].targets["dielectric_tensor"][2, 2] == 5.5
    polar = rows["mp-10"].targets["piezoelectric_tensor"]
    np.testing.assert_allclose(polar * 16.0217663, POLAR, rtol=1e-8)
    assert rows["mp-7"].targets == {"formation_energy": -3.0}
    np.testing.assert_allclose(rows["mp-7"].atoms.positions[1], [2.1, 2.1, 2.1])
    assert [p.name for p in tmp_path.iterdir()] == [archive[0].name]  # nothing was unpacked


def test_unreadable_rows_are_rejected(archive):
    rows = by_id(MatminerSource(*archive).records())
    bad = {key: row for key, row in rows.items() if isinstance(row, Rejection)}
    assert bad.keys() == {"mp-3", "mp-6", "mp-8", "mp-9"}
    assert bad["mp-3"].reason.startswith("unreadable")
    assert "partial occupancies" in bad["mp-8"].reason
    assert all(bad[key].reason.startswith("unknown frame") for key in ("mp-6", "mp-9"))


def test_matminer_to_database(archive, tmp_path):
    report = build_database(tmp_path / "a.db", [MatminerSource(*archive)])
    assert report.reasons() == {
        ("elastic", "rejected", "unreadable"): 1,
        ("piezoelectric", "rejected", "unknown frame"): 2,
        ("formation_energy", "rejected", "unreadable"): 1,
    }
    assert sum(report.rows.values()) == 6


def test_piezoelectric_rows_may_be_read_in_several_frames(archive, tmp_path):
    """The likeliest one first; a row of which no frame is known is no row of the data set, and as
    written it is there for whoever looks for its frame."""
    source = MatminerSource(*archive)
    rows = by_id(source.records())
    likeliest, other = (
        rows["mp-5"].targets["piezoelectric_readings"][i] * 16.0217663 for i in (0, 1)
    )
    np.testing.assert_allclose(likeliest, POLAR, rtol=1e-8)
    np.testing.assert_allclose(other, -likeliest, atol=1e-9)
    assert (rows["mp-5"].targets["piezoelectric_readings"][2:] * 16.0217663 == likeliest).all()
    assert {row.source_id for row in source.piezoelectric()} == {"mp-5", "mp-6", "mp-9", "mp-10"}
    build_database(tmp_path / "a.db", [source])
    kept, _ = read_database(tmp_path / "a.db", ["piezoelectric"])
    assert "piezoelectric_tensor" not in kept.targets  # nobody is told one of several as known
    value = targets()["piezoelectric_tensor"].value(kept.targets)
    assert value.shape == (8, 3, 6)
    said = -value[:1, :1] * 1.1  # nearest to the second reading
    meant = targets()["piezoelectric_tensor"].meant(value[None], said[0])
    np.testing.assert_allclose(meant[0], -value[0])


def test_wrong_archive(archive, tmp_path):
    with pytest.raises(DataError, match="SHA-256"):
        next(MatminerSource(archive[0]).records())
    with pytest.raises(DataError, match="no archive"):
        next(MatminerSource(tmp_path / "missing.tar.gz").records())
    incomplete = make_archive(tmp_path / "other.tar.gz", {"flla_2015.csv": "# ref\n"})
    with pytest.raises(DataError, match="elastic_tensor.csv"):
        next(MatminerSource(*incomplete).records())


def test_download_with_pip(archive, tmp_path, monkeypatch):
    path, digest = archive

    def fake_pip(command, **_):
        assert command[1:4] == ["-m", "pip", "download"]
        assert {"--no-deps", "--no-binary", "matminer==0.3.9"} <= set(command)
        assert "--no-build-isolation" not in command
        folder = command[command.index("--dest") + 1]
        (tmp_path.__class__(folder) / path.name).write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", fake_pip)
    assert len(list(MatminerSource(sha256=digest).records())) == 10


def test_no_network(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "warning\nERROR: No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(DataError, match="No matching distribution.*--archive"):
        next(MatminerSource().records())


def table():
    atoms = {"lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 4]], "frac": [[0, 0, 0], [0.5, 0.5, 0.5]]}
    good = {"id": "mp-1", "formula": "CsCl", "species": ["Cs", "Cl"], **atoms}
    moduli = {"k_vrh_gpa": 18.5, "g_vrh_gpa": 9.5}
    return [
        good | moduli,
        good | {"id": "mp-2", "k_vrh_gpa": 18.5},
        good | moduli | {"frac": [[0]]},
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_moduli_table(tmp_path, pack):
    path = tmp_path / "moduli.json"
    path.write_bytes(pack(json.dumps(table()).encode()))
    good, incomplete, crooked = ModuliSource(path).records()
    assert isinstance(good, Record)
    assert good.targets == {"k_vrh_gpa": 18.5, "g_vrh_gpa": 9.5}
    np.testing.assert_allclose(good.atoms.positions[1], [2, 2, 2])
    assert "g_vrh_gpa" in incomplete.reason
    assert crooked.reason.startswith("unreadable")


@pytest.mark.parametrize("text", ["", '{"a": 1}', "[1, 2"])
def test_no_moduli_table(tmp_path, text):
    path = tmp_path / "moduli.json"
    path.write_text(text)
    with pytest.raises(DataError, match="moduli.json"):
        list(ModuliSource(path).records())
    with pytest.raises(DataError, match="missing.json"):
        list(ModuliSource(tmp_path / "missing.json").records())


def test_collect(tmp_path):
    names = [s.name for s in collect(archive=tmp_path, moduli=tmp_path, files=[tmp_path])]
    assert names == ["user", "matminer-0.3.9", "mp-binary-moduli"]
    assert [s.name for s in collect(files=[tmp_path], matminer=False)] == ["user"]
