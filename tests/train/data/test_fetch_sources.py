"""What the sources read in fetched answers: the physics of the tensors, and rows left out."""

import copy
import re

import numpy as np
import pytest
from fetch_server import ENTRIES, KNOWN, RECORDED, write
from typer.testing import CliRunner

from ase_eqtensor.commands import app
from ase_eqtensor.errors import DataError
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.sources import collect
from ase_eqtensor.train.data.sources.jarvis import JarvisSource
from ase_eqtensor.train.data.sources.materials_project import MaterialsProjectSource
from ase_eqtensor.train.record import Rejection

pytestmark = pytest.mark.usefixtures("small_chunks")


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
    assert result.exit_code == 0 and "1 elastic row quarantined: doubtful frame" in result.output


def test_not_a_fetched_file(tmp_path, both):
    path = tmp_path / "x.jsonl"
    path.write_text("[]\n")
    with pytest.raises(DataError, match="x.jsonl is not a file of"):
        collect(fetched=[path], matminer=False)
    path.write_text(both[0].read_text().replace("materials-project", "aflow"))
    with pytest.raises(DataError, match="unknown source 'aflow'"):
        collect(fetched=[path], matminer=False)
