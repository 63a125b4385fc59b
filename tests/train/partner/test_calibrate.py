"""What a potential is worth, found out by the command on alloys of known stiffness."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.commands import app
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.partner_card import read_partner
from ase_eqtensor.models.store import load_model
from ase_eqtensor.potential.opinion import ask
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.database import read_database, write_database
from ase_eqtensor.train.partner import fit
from ase_eqtensor.train.partner.calibrate import label_and_calibrate, read_opinions
from ase_eqtensor.train.record import Record

METALS = {"Cu": 3.59, "Ag": 4.06, "Au": 4.06, "Ni": 3.49, "Pd": 3.88, "Pt": 3.92, "Al": 4.0}
SOFTNESS = 0.7  # of the potential's stiffness, beside what is called true here


def alloys() -> list[Atoms]:
    """AB3 in fcc order of all metals."""
    crystals = []
    for a in METALS:
        for b in METALS:
            atoms = bulk(b, cubic=True, a=(METALS[a] + 3 * METALS[b]) / 4)
            atoms.symbols[0] = a
            crystals.append(atoms)
    return crystals


@pytest.fixture(scope="module", autouse=True)
def fewer():
    """Fits from fewer crystals than are asked for of users."""
    before, fit.FEWEST = fit.FEWEST, 20
    yield
    fit.FEWEST = before


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Alloys whose stiffness is that of the potential, stiffer by a factor, and a little noise."""
    path = tmp_path_factory.mktemp("data") / "alloys.db"
    random = np.random.default_rng(0)
    records = []
    for i, atoms in enumerate(alloys()):
        opinion = ask(atoms, EMT())
        if opinion.instability or opinion.doubt:
            continue
        noise = np.exp(0.02 * random.normal())
        stiffness = opinion.stiffness_gpa * GPA / SOFTNESS * noise
        targets = {"elasticity_tensor": stiffness}
        records.append(curate(Record(atoms, "elastic", "made up", f"a-{i}", targets)))
    assert len(records) > 35
    write_database(path, records, [])
    return path


@pytest.fixture(scope="module")
def found(database):
    """The output of the command, and the file that it wrote."""
    output = database.with_name("emt.json")
    arguments = ["calibrate-partner", "ase.calculators.emt:EMT", str(database), str(output)]
    result = CliRunner().invoke(app, [*arguments, "--level", "EMT"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output, output


def test_the_better_one_is_believed(found):
    told, path = found
    card = read_partner(path)
    figures = card.figures["elasticity_tensor"]
    assert figures["mean"] < 0.5 * figures["network_mean"] and figures["better"] > 0.8
    assert f"{figures['mean']:.3f}" in told and card.level_of_theory == "EMT"
    assert card.ionic is None and card.charges == {} and card.calculator.endswith(":EMT")
    assert card.sha256 == load_model().sha256
    # of 49 crystals: three standard errors of the share
    assert 0.77 <= card.calibration["elasticity_tensor"]["k_vrh_gpa"]["coverage"]["0.9"] <= 1


def test_it_serves(found):
    calculator = EqTensorCalculator(partner=found[1])
    atoms = bulk("Pd", cubic=True, a=3.81)
    atoms.symbols[0] = "Cu"
    true = ask(atoms, EMT()).stiffness_gpa / SOFTNESS
    (prediction,) = calculator.predict([atoms])
    name = "elasticity_tensor"
    sides = prediction.tensors[name], prediction.consulted.network[name]
    error, alone = (np.abs(side / GPA - true).max() for side in sides)
    assert error < 0.4 * alone
    assert prediction.interval("k_vrh_gpa") is not None


def test_labels_are_kept_and_used_again(found, database):
    labels = found[1].with_suffix(".labels.jsonl")
    opinions, origin = read_opinions([labels])
    assert len(opinions) == len(read_database(database)) and origin.level_of_theory == "EMT"
    before = labels.read_bytes()
    label_and_calibrate(load_model(), database, labels, "ase.calculators.emt:EMT", "EMT")
    assert labels.read_bytes() == before


def test_too_few_crystals(database, tmp_path):
    arguments = ["calibrate-partner", "ase.calculators.emt:EMT", str(database)]
    result = CliRunner().invoke(
        app, [*arguments, str(tmp_path / "few.json"), "--level", "EMT", "--count", "4"]
    )
    assert isinstance(result.exception, DataError) and "label more" in str(result.exception)
    assert not (tmp_path / "few.json").exists()


def test_an_existing_file_is_kept(found, database):
    before = found[1].read_text()
    arguments = ["calibrate-partner", "ase.calculators.emt:EMT", str(database), str(found[1])]
    result = CliRunner().invoke(app, [*arguments, "--level", "EMT"])
    assert "exists" in str(result.exception) and found[1].read_text() == before


def test_labels_of_two_calculators_are_not_mixed(found, tmp_path):
    labels = found[1].with_suffix(".labels.jsonl")
    first, *rest = labels.read_text().splitlines(keepends=True)
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps(json.loads(first) | {"calculator": "another"}) + "\n" + rest[0])
    with pytest.raises(DataError, match="one calculator"):
        read_opinions([labels, other])
