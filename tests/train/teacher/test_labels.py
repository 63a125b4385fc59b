"""Labels: the file, resuming, failures, strained copies, what is labelled, and by what."""

import gzip
import json
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from typer.testing import CliRunner

from ase_eqtensor.commands import app
from ase_eqtensor.errors import DataError, MissingExtraError, StructureError
from ase_eqtensor.potential.calculators import SEVENNET, calculator, teacher
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.database import write_database
from ase_eqtensor.train.folds import fold_of
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.targets.stiffness import ELASTIC, MODULI, STIFFNESS, G, K
from ase_eqtensor.train.teacher.agreement import describe, moduli, pressure_response
from ase_eqtensor.train.teacher.copies import chosen, rattled, with_defect
from ase_eqtensor.train.teacher.crystals import Crystal, crystals
from ase_eqtensor.train.teacher.labelling import label
from ase_eqtensor.train.teacher.labels import LABELS, read_failures, read_labels

VOLUME_RATIOS = (0.85, 0.90, 0.95, 1.05, 1.10, 1.15)

EMT = ("ase.calculators.emt:EMT", "effective-medium theory")
METALS = [Crystal(f"mp-{n}", "", s, bulk(s, cubic=s == "Ag")) for n, s in enumerate(("Cu", "Ag"))]
IRON = Crystal("mp-26", "", "Fe", bulk("Fe"))  # which the potential does not know


def entries(path) -> list[dict]:
    """All lines but the header, without what differs from run to run."""
    LABELS.read_header(path)
    return [{k: v for k, v in entry.items() if k != "seconds"} for entry in LABELS.read(path)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run over three crystals, one of which fails, with copies of each."""
    path = tmp_path_factory.mktemp("labels") / "whole.jsonl"
    found = label([METALS[0], IRON, METALS[1]], path, *EMT, volume_ratios=(1.05, 0.9))
    assert found == (6, 1, 7)
    return path


def test_labels(whole):
    labels = read_labels(whole)
    assert [(x.id, x.volume_ratio) for x in labels] == [
        (name, ratio) for name in ("mp-0", "mp-1") for ratio in (1, 0.9, 1.05)
    ]
    silver = labels[3]
    assert len(silver.numbers) == 1 and silver.stable and silver.converged
    assert silver.fold == fold_of("Ag") and np.abs(silver.stress_gpa).max() < 0.02
    for copy in labels[4:]:
        ratio = copy.atoms.get_volume() / silver.atoms.get_volume()
        assert ratio == pytest.approx(copy.volume_ratio, rel=1e-4)
        assert copy.relaxed_volume_ratio == silver.relaxed_volume_ratio
    assert labels[4].stress_gpa[0] < -5 and labels[5].stress_gpa[0] > 1
    header = LABELS.read_header(whole)
    assert header["calculator"] == EMT[0] and header["level_of_theory"] == EMT[1]
    assert header["library"].startswith("ase ")


def test_failures_are_named(whole):
    (failure,) = read_failures(whole)
    assert failure["id"] == "mp-26" and failure["formula"] == "Fe"
    assert "NotImplementedError" in failure["error"] and "Fe" in failure["error"]


@pytest.mark.parametrize("lines, torn", [(0, 0), (0, 50), (3, 0), (3, 50), (4, 99), (1, 9), (6, 9)])
def test_goes_on_after_a_kill(tmp_path, whole, lines, torn):
    """That many entries are there, and a part of the next. Killed between two crystals, the run
    ends with the same content; within one, its copies come from the rounded relaxed crystal."""
    path = tmp_path / "a.jsonl"
    content = whole.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(content[: 1 + lines]) + content[1 + lines][:torn])
    for new in (7 - lines, 0):
        found = label([METALS[0], IRON, METALS[1]], path, *EMT, volume_ratios=(1.05, 0.9))
        assert found == (6, 1, new)
    assert read_labels(path) and path.read_bytes().count(b"\n") == 8
    if lines in (0, 3, 4):
        assert entries(path) == entries(whole)
    for a, b in zip(read_labels(path), read_labels(whole)):
        assert (a.id, a.volume_ratio) == (b.id, b.volume_ratio)
        assert np.abs(np.subtract(a.stiffness_gpa, b.stiffness_gpa)).max() < 0.1


def test_copies_can_be_added(tmp_path, whole):
    path = tmp_path / "a.jsonl"
    label(METALS, path, *EMT)
    assert [entry["volume_ratio"] for entry in entries(path)] == [1, 1]
    assert label(METALS, path, *EMT, volume_ratios=(1.05, 0.9)).new == 4
    found = {(x.id, x.volume_ratio): x for x in read_labels(path)}
    for x in read_labels(whole):
        difference = np.subtract(found[x.id, x.volume_ratio].stiffness_gpa, x.stiffness_gpa)
        assert np.abs(difference).max() < 0.1


def test_labels_say_where_the_ions_go_if_asked(tmp_path, whole):
    crystal = Crystal("hcp", "", "Cu", bulk("Cu", "hcp", a=2.6, c=4.1))
    label([crystal], tmp_path / "a.jsonl", *EMT, internal_strain=True, force_constants=True)
    (found,) = read_labels(tmp_path / "a.jsonl")
    moved = np.array(found.internal_strain)
    assert moved.shape == (6, 6) and np.shape(found.force_constants) == (6, 6)
    assert np.abs(moved).max() > 0.1
    np.testing.assert_allclose(moved[:3], -moved[3:], atol=1e-3)
    assert read_labels(whole)[0].internal_strain is None


def test_workers_write_the_same(tmp_path, whole):
    path = tmp_path / "a.jsonl"
    label([METALS[0], IRON, METALS[1]], path, *EMT, volume_ratios=(0.9, 1.05), workers=2)
    assert entries(path) == entries(whole)


def test_gzipped(tmp_path, whole):
    path = tmp_path / "labels.jsonl.gz"
    path.write_bytes(gzip.compress(whole.read_bytes()))
    assert read_labels(path) == read_labels(whole)


def test_other_files_and_calculators_are_refused(tmp_path, whole):
    before = whole.read_bytes()
    with pytest.raises(DataError, match="begun with level of theory .*write to a new file"):
        label(METALS, whole, EMT[0], "something else")
    with pytest.raises(DataError, match="volume ratio 1"):
        label(METALS, whole, *EMT, volume_ratios=(1.0,))
    assert whole.read_bytes() == before
    notes = tmp_path / "notes.txt"
    notes.write_text('{"format": "eqtensor-fetched-1"}\n')
    with pytest.raises(DataError, match="not a file of `eqtensor data label`"):
        read_labels(notes)
    lines = whole.read_text().splitlines(keepends=True)
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text(lines[0] + lines[1].replace('"misfit"', '"mist"'))
    with pytest.raises(DataError, match="line 2 is damaged.*misfit"):
        read_labels(damaged)


def test_calculators(monkeypatch):
    assert calculator(*EMT) is calculator(*EMT)
    with pytest.raises(DataError, match="choose from 7net-l3i5"):
        teacher("8net")
    with pytest.raises(DataError, match="state it"):
        teacher(EMT[0])
    for name in ("ase.calculators.emt:Emt", "no_such_module:EMT"):
        with pytest.raises(DataError, match=name):
            teacher(name, "any")
    monkeypatch.setitem(sys.modules, "sevenn", None)
    with pytest.raises(MissingExtraError, match=r"ase-eqtensor\[teacher\]"):
        teacher("7net-l3i5")


def test_sevennet():
    pytest.importorskip("sevenn")
    assert teacher("7net-l3i5").library.startswith("sevenn ")
    atoms = bulk("NaCl", "rocksalt", 5.64)
    atoms.calc = calculator("7net-l3i5")
    assert np.abs(atoms.get_stress() / GPA).max() < 2
    assert set(SEVENNET) == {"7net-l3i5", "7net-0"}


def records() -> list[Record]:
    """Copper and silver with made-up tensors and moduli, gold with moduli only."""
    rows = []
    for crystal in METALS:
        name = STIFFNESS.name
        tensor = np.diag([70.0] * 3 + [30.0] * 3) * GPA
        rows.append(Record(crystal.atoms, ELASTIC.name, "test", crystal.id, {name: tensor}))
    moduli = {K: 75.0, G: 25.0}
    others = {"mp-0": "Cu", "mp-1": "Ag", "mp-9": "Au"}  # silver in a smaller cell than above
    rows += [Record(bulk(s), MODULI.name, "test", id, moduli) for id, s in others.items()]
    return rows


def test_what_is_labelled(tmp_path):
    database = tmp_path / "crystals.db"
    write_database(database, records())
    found = crystals(str(database), (MODULI.name, ELASTIC.name))
    assert [(x.id, x.dataset) for x in found] == [(f"mp-{n}", MODULI.name) for n in (0, 1, 9)]
    found = crystals(str(database), (ELASTIC.name, MODULI.name), max_atoms=1)
    assert [(x.id, x.dataset) for x in found] == [("mp-0", ELASTIC.name), ("mp-9", MODULI.name)]
    with pytest.raises(DataError, match="at most 0 atoms"):
        crystals(str(database), (ELASTIC.name,), max_atoms=0)
    found = crystals(str(database), (MODULI.name,), elements=["Au", "O"])
    assert [x.id for x in found] == ["mp-9"]
    for element, message in {"O": "no such crystal with O", "Xx": "Xx is no element"}.items():
        with pytest.raises(DataError, match=message):
            crystals(str(database), (MODULI.name,), elements=[element])
    folder = tmp_path / "own"
    folder.mkdir()
    write(folder / "a.extxyz", [bulk("Cu", cubic=True), bulk("Ag")])
    found = crystals(str(folder))
    assert [(x.id, x.formula) for x in found] == [("a.extxyz#1", "Ag"), ("a.extxyz#0", "Cu")]
    write(folder / "b.xyz", Atoms("Cu"))
    with pytest.raises(StructureError, match="b.xyz"):
        crystals(str(folder))


def test_agreement(tmp_path):
    """Labels beside first-principles values that are the same, by construction."""
    database, path = tmp_path / "crystals.db", tmp_path / "labels.jsonl"
    write_database(database, records())
    found = crystals(str(database), (MODULI.name,))
    label(found, path, *EMT, volume_ratios=(0.95, 1.05))
    labels = [x for x in read_labels(path) if x.volume_ratio == 1]
    own = dict(zip([x.id for x in labels], moduli(labels)))
    same = [
        Record(x.atoms, MODULI.name, "test", x.id, dict(zip((K, G), map(float, own[x.id]))))
        for x in found
    ]
    write_database(database, same, overwrite=True)
    text = describe(path, database)
    assert "moduli, 3 stable crystals" in text and text.count(": 1.00 times") == 2
    response = pressure_response(read_labels(path))
    assert len(response) == 6 and (response > 3).all() and (response < 7).all()


def test_command(tmp_path):
    write(tmp_path / "cu.extxyz", bulk("Cu"))
    (tmp_path / "list.txt").write_text("cu.extxyz\n")
    output = tmp_path / "labels.jsonl"
    options = ["--calculator", EMT[0], "--level", EMT[1], "--volume-ratio", "0.95"]
    command = ["data", "label", str(tmp_path / "list.txt"), str(output), *options]
    for new in (2, 0):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        assert f"2 labels and 0 failures, {new} of them new" in " ".join(result.output.split())
    assert json.loads(output.read_text().splitlines()[1])["id"] == "cu.extxyz"


def test_ratios_are_spread_and_repeatable():
    keys = [f"mp-{n}" for n in range(600)]
    counts = dict.fromkeys(VOLUME_RATIOS, 0)
    for key in keys:
        (ratio,) = chosen(VOLUME_RATIOS, key, 1)
        counts[ratio] += 1
        assert ratio in chosen(VOLUME_RATIOS, key, 2) == chosen(VOLUME_RATIOS[::-1], key, 2)
    assert min(counts.values()) > 70


def test_rattled_and_defective_copies():
    rocksalt = bulk("MgO", "rocksalt", 4.2)
    shaken = rattled(rocksalt, 0.01, seed=3)
    assert shaken == rattled(rocksalt, 0.01, seed=3) != rocksalt
    vacancy = with_defect(rocksalt, 1, None)
    assert vacancy.symbols.formula.count() == {"Mg": 36, "O": 35}
    impurity = with_defect(bulk("Si", cubic=True), 0, "P")
    assert impurity.symbols.formula.count() == {"Si": 63, "P": 1}
    lengths = impurity.cell.lengths()
    assert np.ptp(lengths) < 1e-9
    for index, symbol in ((2, None), (0, "Mg")):
        with pytest.raises(DataError):
            with_defect(rocksalt, index, symbol)
