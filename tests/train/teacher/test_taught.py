"""Stiffnesses with K and G from first principles and directions from a potential."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from equivariance import orthogonal
from places import ROOT
from scipy.linalg import logm

from ase_eqtensor.errors import DataError
from ase_eqtensor.quantities import QUANTITIES
from ase_eqtensor.tensors.forms import MANDEL
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA, rotate_stiffness, voigt_to_mandel
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.data.sources.moduli import ModuliSource
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets import DATASETS
from ase_eqtensor.train.teacher.labels import Label, read_label_files, read_labels
from ase_eqtensor.train.teacher.shear import SHEAR, family
from ase_eqtensor.train.teacher.source import LabelledSource, OwnLabels
from ase_eqtensor.train.teacher.taught import taught_stiffness

PROJECT = ROOT / "train" / "labels" / "7net-l3i5.jsonl.gz"
STIFFNESS = QUANTITIES["elasticity_tensor"]
ROCKSALT = np.diag([200.0, 200, 200, 80, 80, 80])
ROCKSALT[:3, :3] += 90 * (1 - np.eye(3))


def general(seed: int = 0) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(6, 6))
    return 100 * np.eye(6) + 12 * (a + a.T)


def averages(stiffness: np.ndarray) -> np.ndarray:
    mandel = torch.from_numpy(voigt_to_mandel(stiffness))
    return np.array([float(average) / GPA for average in hill_average(mandel)])


def directions(stiffness: np.ndarray) -> np.ndarray:
    """Anisotropic components of the logarithm."""
    return MANDEL.components(logm(voigt_to_mandel(stiffness)).real)[2:]


@pytest.mark.parametrize("label", [ROCKSALT, general(0), general(1)], ids=["cubic", "1", "2"])
@pytest.mark.parametrize("moduli", [(150.0, 60.0), (20.0, 35.0)])
def test_size_from_first_principles_directions_from_the_label(label, moduli):
    taught = taught_stiffness(label, *moduli)
    np.testing.assert_allclose(averages(taught), moduli, rtol=1e-8)
    np.testing.assert_allclose(directions(taught), directions(label * GPA), atol=1e-10)


def test_what_the_potential_got_right_is_unchanged():
    label = general(3)
    taught = taught_stiffness(label, *averages(label * GPA))
    np.testing.assert_allclose(taught, label * GPA, rtol=1e-7, atol=1e-7)


def test_a_turned_label_gives_the_turned_stiffness():
    turn = orthogonal(4)
    turned = rotate_stiffness(general(), turn)
    expected = rotate_stiffness(taught_stiffness(general(), 90, 40), turn)
    np.testing.assert_allclose(taught_stiffness(turned, 90, 40), expected, atol=1e-8)


@pytest.fixture
def files(tmp_path):
    """A table of moduli and labels: sound, unstable, far off, and a strained copy of the first."""
    template = read_labels_of_the_project()[0]
    stiffness = {"sound": ROCKSALT, "unstable": ROCKSALT, "far": 3 * ROCKSALT}
    rows, labels = [], []
    atoms = bulk("MgO", "rocksalt", a=4.2)
    strained = atoms.copy()
    # the potential's own volume is 3 % too large
    strained.set_cell(atoms.cell * (0.9 * 1.03) ** (1 / 3), scale_atoms=True)
    k, g = averages(ROCKSALT * GPA)
    for name, tensor in stiffness.items():
        rows.append(
            {"id": name, "formula": "MgO", "lattice": atoms.cell[:].tolist(),
             "species": ["Mg", "O"], "frac": [[0, 0, 0], [0.5, 0.5, 0.5]],
             "k_vrh_gpa": 1.05 * k, "g_vrh_gpa": 1.4 * g}
        )  # fmt: skip
        label = replace(
            template, id=name, dataset="moduli", formula="MgO", stiffness_gpa=tensor.tolist(),
            volume_ratio=1.0, relaxed_volume_ratio=1.03, least_force_constant=None,
            least_eigenvalue_gpa=-3.0 if name == "unstable" else 80.0, converged=True,
        )  # fmt: skip
        labels.append(label)
        labels.append(
            replace(
                label, volume_ratio=0.9, stiffness_gpa=(1.5 * tensor).tolist(),
                numbers=strained.numbers.tolist(), cell=strained.cell[:].tolist(),
                positions=strained.positions.tolist(),
            )
        )  # fmt: skip
    (tmp_path / "moduli.json").write_text(json.dumps(rows))
    header = json.loads(gzip.decompress(PROJECT.read_bytes()).splitlines()[0])
    lines = [header, *(vars(label) for label in labels)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "labels.jsonl").write_text(text)
    return tmp_path / "labels.jsonl", ModuliSource(tmp_path / "moduli.json")


def read_labels_of_the_project() -> list[Label]:
    return read_labels(PROJECT)


def test_rows_of_the_data_set(files):
    labels, moduli = files
    rows = list(LabelledSource(moduli, read_labels(labels)).records())
    assert [row for row in rows if row.dataset == "moduli"] == list(moduli.records())
    taught = [row for row in rows if row.dataset == "taught"]
    record, copy = (row for row in taught if isinstance(row, Record))
    curated = curate(record)
    assert (curated.dataset, curated.source_id, curated.quarantine) == ("taught", "sound", "")
    dataset = DATASETS["taught"]
    assert not dataset.holds_tensors  # never selects or calibrates a model
    (target,) = dataset.targets
    value = target.value(curated.targets)
    given = record.targets["taught_stiffness"]
    np.testing.assert_allclose(STIFFNESS.to_ase(value), given, atol=1e-12)
    assert DATASETS["elastic"].targets[0].value(curated.targets) is None
    assert (copy.source_id, copy.fold) == ("sound@0.9", record.fold)
    assert copy.atoms.get_volume() == pytest.approx(0.9 * record.atoms.get_volume())
    expected = averages(record.targets["taught_stiffness"]) * 1.5
    np.testing.assert_allclose(averages(copy.targets["taught_stiffness"]), expected, rtol=1e-6)
    reasons = {row.source_id: row.reason for row in rows if isinstance(row, Rejection)}
    assert reasons.keys() == {"unstable", "far"}
    assert "unstable" in reasons["unstable"] and "disagrees" in reasons["far"]


def test_without_first_principles_the_shear_is_mended(files):
    """An insulator of which only permittivities are known: K as labelled, G of an oxide."""
    labels, _ = files
    (moduli,) = [x for x in read_labels(labels) if x.id == "sound" and x.volume_ratio == 1]
    eps = {"dielectric_tensor": 9 * np.eye(3), "electronic_dielectric_tensor": 3 * np.eye(3)}
    row = Record(bulk("MgO", "rocksalt", a=4.2), "dielectric", "test", "sound", eps)

    class Insulators(Source):
        name = "insulators"

        def records(self):
            return iter([row])

    known = [replace(moduli, dataset="dielectric", numbers=[12, 8])]
    given, taught = LabelledSource(Insulators(), known).records()
    assert given is row and taught.dataset == "taught"
    k, g = averages(ROCKSALT * GPA)
    expected = [k, g / SHEAR["oxides"]]
    np.testing.assert_allclose(averages(taught.targets["taught_stiffness"]), expected, rtol=1e-7)


def test_labels_of_crystals_of_ones_own(files):
    """They teach with the potential's crystal and K; the copy's volume is 0.9 times that."""
    labels, moduli = files
    own = [replace(x, dataset="", numbers=[12, 8]) for x in read_labels(labels) if x.id == "sound"]
    assert list(OwnLabels(read_labels(labels)).records()) == []
    relaxed, copy = OwnLabels(own).records()
    assert (relaxed.dataset, relaxed.source_id, copy.source_id) == ("taught", "sound", "sound@0.9")
    assert relaxed.source == copy.source == "labels"
    assert relaxed.atoms == own[0].atoms and copy.atoms == own[1].atoms
    k, g = averages(ROCKSALT * GPA)
    expected = [k, g / SHEAR["oxides"]]
    np.testing.assert_allclose(averages(relaxed.targets["taught_stiffness"]), expected, rtol=1e-7)
    # beside the rows of other sources they change nothing
    assert len(list(LabelledSource(moduli, own).records())) == len(list(moduli.records()))


def test_no_crystal_is_labelled_by_two_files(files, tmp_path):
    labels, _ = files
    own, again = tmp_path / "own.jsonl", tmp_path / "again.jsonl"
    unlike = labels.read_text().replace('"id": "', '"id": "own-').replace('"id":"', '"id":"own-')
    own.write_text(unlike)
    again.write_text(unlike)
    known = read_labels(labels)
    both = read_label_files([labels, own])
    assert both[: len(known)] == known and len(both) == 2 * len(known)
    with pytest.raises(DataError, match="both label own-sound .* leave out one of the files"):
        read_label_files([labels, own, again])


@pytest.mark.parametrize("factor", [1.05, 3.0])
def test_copies_that_do_not_answer_to_pressure_as_solids_do(files, factor):
    labels, moduli = files
    known = [x for x in read_labels(labels) if x.id == "sound"]
    known[1] = replace(known[1], stiffness_gpa=(factor * ROCKSALT).tolist())
    rows = [row for row in LabelledSource(moduli, known).records() if row.dataset == "taught"]
    relaxed, copy = rows
    assert isinstance(relaxed, Record) and isinstance(copy, Rejection)
    assert copy.source_id == "sound@0.9" and "odd under pressure" in copy.reason


@pytest.mark.parametrize(
    "formula, expected",
    [("NaCl", "halides"), ("LaOF", "halides"), ("ZnO", "oxides"), ("GaAs", "pnictides"),
     ("PdH", "hydrides"), ("NH", "pnictides"), ("Cu", "others"), ("SiC", "others")],
)  # fmt: skip
def test_families(formula, expected):
    assert family(Atoms(formula).numbers) == expected


def test_the_labels_of_the_project():
    labels = read_labels_of_the_project()
    assert len(labels) > 7000
    relaxed = {(label.dataset, label.id) for label in labels if label.volume_ratio == 1}
    assert len(relaxed) == sum(label.volume_ratio == 1 for label in labels)
    assert all(label.fold in range(5) for label in labels)
    silicon = next(label for label in labels if label.formula == "Si" and len(label.numbers) == 2)
    assert silicon.stiffness_gpa[0][0] == pytest.approx(160, rel=0.15)


def test_impossible_moduli_are_an_error():
    with pytest.raises(DataError, match="no stiffness with these directions"):
        taught_stiffness(np.diag([1e-7, 1, 1, 1, 1, 1e7]), 1e9, 1e-9)
