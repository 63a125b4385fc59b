"""A tensor that does not exist, declared in one object and one data set, goes all the way.

Read this to learn how a quantity is added: everything below the declarations works for it without
a change anywhere else.
"""

import csv
import json
import logging

import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect
from ase.io import write
from equivariance import MOVES, turned
from training import PAIRS, small_recipe
from typer.testing import CliRunner

from ase_eqtensor import QUANTITIES, EqTensorCalculator, freeze, load, load_model, save, tensors_of
from ase_eqtensor.commands import app
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities import Display, Head, Quantity, Scalar
from ase_eqtensor.tensors.forms import Form
from ase_eqtensor.tensors.irreps import rank2_basis
from ase_eqtensor.tensors.notation import rotate_rank2
from ase_eqtensor.train.card import describe
from ase_eqtensor.train.data.database import read_database, write_database
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.release import release
from ase_eqtensor.train.run import train
from ase_eqtensor.train.targets import DATASETS, DataSet, TensorTarget
from ase_eqtensor.train.targets.curation import curate_tensors

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning", "ignore::UserWarning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

# --- what a developer writes: a symmetric traceless tensor of rank 2 with one scalar ...

TRACELESS = Form({2: 1}, (3, 3), lambda: rank2_basis()[1:], rotate_rank2)
STRENGTH = Scalar(
    "strength_mv", "Strength s", "s", "mV", lambda array, _: np.linalg.norm(array, axis=(1, 2)),
    least=0.0, headline=True,
)  # fmt: skip
HEAD = Head("bend", TRACELESS, lambda tensors: tensors.get("bend_tensor"), logarithm=False)
BEND = Quantity(
    name="bend_tensor",
    meaning="a tensor that does not exist",
    unit="mV",
    form=TRACELESS,
    heads=(HEAD,),
    from_heads=lambda heads: heads[HEAD.name],
    display=Display("Bend B", "bend", "B", "mV", 1.0, 3, "Bend tensor"),
    scalars=(STRENGTH,),
)
# ... and what it is trained on
BENDS = DataSet("bends", {BEND.name: BEND.shape}, curate_tensors(BEND), (TensorTarget(BEND),))

# --- what works then


@pytest.fixture(scope="module", autouse=True)
def declared():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(QUANTITIES, BEND.name, BEND)
        patch.setitem(DATASETS, BENDS.name, BENDS)
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        yield


def crystal(formula: str, size: float):
    """A tetragonal crystal: stretched rocksalt."""
    atoms = bulk(formula, "rocksalt", a=size)
    atoms.set_cell(atoms.cell * [1, 1, 1.1], scale_atoms=True)
    return atoms


CRYSTAL = crystal("MgO", 4.4)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A released model: trained for a few steps, scored and calibrated out of fold."""
    folder = tmp_path_factory.mktemp("bend")
    bend = np.diag([-1.0, -1.0, 2.0])
    records = [
        BENDS.curate(
            Record(
                crystal(pair, 4 + i / 20), "bends", "test", pair, {BEND.name: bend * (1 + i / 9)}
            )
        )
        for i, pair in enumerate(PAIRS)
    ]
    write_database(folder / "crystals.db", records)
    run = train(folder / "crystals.db", small_recipe(datasets=["bends"], loss={}), folder / "run")
    assert load_model(run).card.figures["val"][BEND.name]["strength_mv_mae"] > 0
    return release("bends", read_database(folder / "crystals.db"), [run.parent], folder)


@pytest.fixture(scope="module")
def calculator(weights):
    return EqTensorCalculator(weights, dtype="float64", allow_untrained_elements=True)


def test_atoms_batch_and_projection(calculator):
    atoms = CRYSTAL.copy()
    atoms.calc = calculator
    tensor = atoms.get_property(BEND.name)
    assert calculator.implemented_properties == [BEND.name] and np.linalg.norm(tensor) > 0.1
    assert abs(np.trace(tensor)) < 1e-12
    np.testing.assert_allclose(BEND.project(tensor, analyse(atoms).rotations), tensor, atol=1e-12)
    rotation = MOVES["rotation"]
    (prediction,) = calculator.predict([turned(atoms, rotation)])
    np.testing.assert_allclose(prediction[BEND.name], BEND.rotate(tensor, rotation), atol=1e-9)
    assert prediction.scalars == pytest.approx({STRENGTH.name: np.linalg.norm(tensor)})
    low, high = prediction.interval(STRENGTH.name)
    assert low < prediction.scalars[STRENGTH.name] < high


@pytest.mark.parametrize("suffix", [".extxyz", ".traj", ".db", ".json"])
def test_files_and_ase_db(calculator, tmp_path, suffix):
    (prediction,) = calculator.predict([CRYSTAL])
    save(tmp_path / f"a{suffix}", [freeze(CRYSTAL, prediction)])
    (again,) = load(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(tensors_of(again)[BEND.name], prediction[BEND.name], atol=1e-7)
    if suffix == ".db":
        with connect(tmp_path / "a.db") as db:
            row = db.get("strength_mv>0,bend_error_90>0")
        assert row.strength_mv == pytest.approx(prediction.scalars[STRENGTH.name])


def test_command_line_and_report(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    write("a.cif", CRYSTAL)
    options = ["a.cif", "--model", str(weights), "--allow-untrained-elements"]

    def run(command: str, *further: str) -> str:
        result = CliRunner().invoke(app, [command, *options, *further])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "s, mV" in run("predict")
    (row,) = csv.DictReader(run("predict", "--csv").splitlines())
    assert float(row["strength_mv_low_90"]) < float(row["strength_mv"])
    (entry,) = json.loads(run("predict", "--json"))
    assert entry["scalars"]["strength_mv"] == pytest.approx(float(row["strength_mv"]))
    assert entry["units"] == {BEND.name: "mV"} and np.shape(entry["tensors"][BEND.name]) == (3, 3)
    run("report")
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "Bend B, mV" in page and "Strength s" in page and "1 independent by symmetry" in page


def test_card_and_calibration(weights):
    card = load_model(weights).card
    assert card.figures["out_of_fold"][BEND.name]["strength_mv_mae"] > 0
    assert set(card.uncertainty[BEND.name].scales) == {"relative_error", STRENGTH.name}
    assert card.calibration[BEND.name][STRENGTH.name]["coverage"]["0.9"] > 0
    assert "bend" in describe(card) and "s, mV" in describe(card)
