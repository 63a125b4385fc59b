"""Fitting: a loss that falls, a resumed run that equals an uninterrupted one, a usable model."""

import csv
import json
import logging
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from networks import SMALL
from pymatgen.core.elasticity import ElasticTensor
from training import records, small_recipe
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator, load_model
from ase_eqtensor.commands import app
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.store import Model
from ase_eqtensor.quantities import stored
from ase_eqtensor.tensors.comparison import relative_loss
from ase_eqtensor.train.data.database import write_database
from ase_eqtensor.train.fitting.fit import fit, prepare_parts
from ase_eqtensor.train.fitting.samples import loader
from ase_eqtensor.train.folds import split
from ase_eqtensor.train.run import train
from ase_eqtensor.train.scoring.evaluate import evaluate, write_report
from ase_eqtensor.train.targets import DATASETS

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning")
TENSORS = {name for name, quantity in stored().items() if not quantity.form.odd}  # of the rows
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def samples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        return prepare_parts(split(records(), 0), small_recipe())


@pytest.fixture(scope="module")
def whole(samples, tmp_path_factory):
    """An uninterrupted run: its folder and module."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, fit(samples, small_recipe(), folder, progress=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Database and weights of a run from end to end."""
    folder = tmp_path_factory.mktemp("trained")
    write_database(folder / "crystals.db", records())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        path = train(folder / "crystals.db", small_recipe(epochs=3), folder / "run")
    return folder / "crystals.db", path


def scored_as(record) -> set[str]:
    """Names under which a record is scored: those of its targets, but K and G together."""
    return {"moduli"} if record.dataset == "moduli" else set(record.targets)


def log(folder) -> dict[str, list[float]]:
    """Columns of metrics.csv without the empty cells, all parts of the run together."""
    rows = []
    for path in sorted(folder.rglob("metrics.csv")):
        with path.open(newline="") as stream:
            rows += csv.DictReader(stream)
    return {k: [float(r[k]) for r in rows if r[k]] for k in rows[0]}


def test_split_keeps_the_parts_apart(samples):
    fold = small_recipe().fold
    assert all(s.record.fold != fold for part in samples for s in part)
    train_set = {s.record.reduced_formula for s in samples.train}
    val_set = {s.record.reduced_formula for s in samples.val}
    assert not train_set & val_set
    assert {s.record.dataset for s in samples.val} <= set(DATASETS)
    assert {s.record.dataset for s in samples.selection} == {"elastic", "dielectric"}


def test_split_needs_both_parts():
    with pytest.raises(DataError, match="Add data"):
        prepare_parts(split(records()[:1], 0), small_recipe())


def test_loss_falls(whole):
    columns = log(whole[0])
    assert columns["train_loss"][-1] < 0.85 * columns["train_loss"][0]
    assert columns["val_score"][-1] < 0.97 * columns["val_score"][0]  # it begins with the scaling
    for dataset in small_recipe().datasets:
        for target in DATASETS[dataset].targets:
            assert len(columns[f"train_{target.name}"]) == 6


def test_the_averaged_weights_of_the_last_epoch_are_returned(whole, samples):
    folder, module = whole
    assert not module.training
    scores = log(folder)["val_score"]
    errors: dict[str, list] = {name: [] for name in TENSORS}
    with torch.no_grad():
        for batch in loader(samples.selection, 64):
            output = module.network(batch.graph)
            for name, (index, value) in batch.targets.items():
                errors[name].append(relative_loss(output[name][index], value))
    errors = [torch.cat(e) for e in errors.values()]
    score = np.mean([float(e.median() + e.mean() / 2) for e in errors])
    assert score == pytest.approx(scores[-1], rel=1e-4)


def test_resumed_run_equals_an_uninterrupted_one(samples, tmp_path):
    recipe = small_recipe(class_dropout=0.3, noise=0.02)
    whole = tmp_path / "whole", fit(samples, recipe, tmp_path / "whole", progress=False)
    tmp_path = tmp_path / "resumed"
    fit(samples, recipe, tmp_path, progress=False, stop_after=4)
    assert len(log(tmp_path)["val_score"]) == 4
    torch.manual_seed(99)  # whatever happened in between
    resumed = fit(samples, recipe, tmp_path, resume=True, progress=False)
    for name in ("val_score", "train_loss"):
        assert log(tmp_path)[name] == pytest.approx(log(whole[0])[name], rel=1e-4)
    for a, b in zip(resumed.parameters(), whole[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    ends = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=False)
        for folder in (tmp_path, whole[0])
    ]
    assert ends[0]["global_step"] == ends[1]["global_step"] == 6 * -(-len(samples.train) // 8)
    for key in ("state_dict", "current_model_state"):  # averaged and latest weights
        a, b = (end[key] for end in ends)
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-6)


def test_seed_decides_the_run(whole, samples, tmp_path):
    same = fit(samples, small_recipe(epochs=6), tmp_path / "same", progress=False, stop_after=1)
    other = fit(samples, small_recipe(seed=1), tmp_path / "other", progress=False, stop_after=1)
    first = log(whole[0])["val_score"][0]
    assert log(tmp_path / "same")["val_score"] == pytest.approx([first], rel=1e-5)
    assert log(tmp_path / "other")["val_score"] != pytest.approx([first], rel=1e-3)
    assert any((a != b).any() for a, b in zip(same.parameters(), other.parameters(), strict=True))


def test_two_processes_train_what_one_does(whole, samples, tmp_path):
    fit(samples, small_recipe(), tmp_path, progress=False, devices=2, stop_after=2)
    # rounding differs and grows; a wrong share of the gradient would show in the first epoch
    assert log(tmp_path)["val_score"] == pytest.approx(log(whole[0])["val_score"][:2], rel=1e-3)


@pytest.mark.parametrize("name", ["electronic_dielectric_tensor", "dielectric_tensor"])
def test_one_permittivity_alone_is_learnt_and_scored(name, tmp_path):
    rows = [r for r in records() if r.dataset == "dielectric"]
    rows = [replace(r, targets={name: r.targets[name]}) for r in rows]
    write_database(tmp_path / "crystals.db", rows)
    recipe = small_recipe(datasets=["dielectric"], epochs=1)
    model = load_model(train(tmp_path / "crystals.db", recipe, tmp_path / "run"))
    assert set(model.card.figures["val"]) == {name}
    reference = model.network.architecture.reference
    assert set(reference) == ({"electronic"} if name.startswith("electronic") else set())
    other = {"electronic_dielectric_tensor", "dielectric_tensor"} - {name}
    assert model.trained_elements(name)
    assert not model.trained_elements(*other)


def test_from_database_to_calculator(trained):
    _, path = trained
    model = load_model(path)
    card = model.card
    assert card.recipe == json.loads((path.parent / "recipe.json").read_text())
    assert card.recipe["seed"] == 0 and card.recipe["fold"] == 0
    validated = {n for r in records() if r.fold and r.in_val for n in scored_as(r)}
    assert set(card.figures["val"]) == validated >= TENSORS
    for name, parts in card.members[0].data.items():
        assert parts["train"] > 0 and sum(parts.values()) == sum(
            r.dataset == name for r in records()
        )
    assert {*TENSORS, "compliance_tensor"} <= set(model.level_of_theory)
    trained_on = [r for r in records() if r.dataset == "elastic" and r.fold and not r.in_val]
    weakly = [r for r in records() if r.dataset == "moduli" and r.fold and not r.in_val]
    elements = {z for r in trained_on + weakly for z in r.atoms.numbers.tolist()}
    assert model.trained_elements("elasticity_tensor") == elements
    atoms = trained_on[0].atoms
    value = EqTensorCalculator(model).get_property("elasticity_tensor", atoms)
    target = trained_on[0].targets["elasticity_tensor"]
    assert np.linalg.norm(value - target) < np.linalg.norm(target)


def test_finished_runs_are_not_overwritten(trained):
    database, path = trained
    with pytest.raises(DataError, match="not empty"):
        train(database, small_recipe(epochs=1), path.parent)


def test_a_run_that_failed_can_be_started_again(trained, tmp_path):
    database, _ = trained
    with pytest.raises(DataError, match="no training database"):
        train(tmp_path / "missing.db", small_recipe(epochs=1), tmp_path / "run")
    (tmp_path / "run" / "logs").mkdir(parents=True)  # of one that failed a little later
    (tmp_path / "run" / "recipe.json").write_text("{}")
    assert train(database, small_recipe(epochs=1), tmp_path / "run").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        train(database, small_recipe(epochs=1), tmp_path / "mine")


@pytest.mark.filterwarnings("ignore::ase_eqtensor.errors.UntrainedElementWarning")
def test_report(trained):
    database, path = trained
    model = load_model(path)
    report = json.loads(json.dumps(evaluate(model, records(), "test")))
    assert (report["model"], report["sha256"], report["folds"]) == (model.name, model.sha256, [0])
    for name, rows in report["crystals"].items():
        tested = [r for r in records() if r.fold == 0 and name in scored_as(r)]
        assert [row["source_id"] for row in rows] == [r.source_id for r in tested]
        assert report["figures"][name]["crystals"] == len(rows)
        if name not in TENSORS:
            continue
        median = np.median([row["relative_error"] for row in rows])
        assert report["figures"][name]["median_relative"]["value"] == pytest.approx(median)
    assert report["figures"]["elasticity_tensor"]["anisotropic_skill"]["l2"] is None  # all cubic
    assert set(report["figures"]) == {*TENSORS, "moduli", "taught_stiffness", "formation_energy"}
    for name, key, column in (
        ("moduli", "k_vrh_gpa_mae", "k_vrh_gpa"),
        ("moduli", "g_vrh_gpa_mae", "g_vrh_gpa"),
        ("formation_energy", "mae_ev_per_atom", "ev_per_atom"),
    ):
        rows = report["crystals"][name]
        errors = [abs(row[f"predicted_{column}"] - row[f"reference_{column}"]) for row in rows]
        assert report["figures"][name][key] == pytest.approx(np.mean(errors))
    energies = [r for r in records() if r.dataset == "formation_energy"]
    value = {r.source_id: r.targets["formation_energy"] for r in energies}
    rows = report["crystals"]["formation_energy"]
    assert all(row["reference_ev_per_atom"] == value[row["source_id"]] for row in rows)
    middle = np.median([value[r.source_id] for r in energies if r.fold and not r.in_val])
    trivial = np.mean([abs(row["reference_ev_per_atom"] - middle) for row in rows])
    constant = report["figures"]["formation_energy"]["constant"]
    assert constant == pytest.approx({"mae_ev_per_atom": trivial})
    assert report["figures"]["moduli"]["constant"] == {"k_vrh_gpa_mae": 0, "g_vrh_gpa_mae": 0}
    row = report["crystals"]["elasticity_tensor"][0]
    reference = next(r for r in records() if r.source_id == row["source_id"])
    expected = reference.targets["elasticity_tensor"] * 160.21766
    np.testing.assert_allclose(row["reference_gpa"], expected, rtol=1e-6)
    # the calculator gives what the report says
    calculator = EqTensorCalculator(model, allow_untrained_elements=True)
    value = calculator.get_property("elasticity_tensor", reference.atoms)
    np.testing.assert_allclose(
        np.array(row["predicted_gpa"]), value * 160.21766, rtol=1e-3, atol=1e-2
    )
    row = report["crystals"]["moduli"][0]
    atoms = next(r.atoms for r in records() if r.source_id == row["source_id"])
    elastic = ElasticTensor.from_voigt(
        calculator.get_property("elasticity_tensor", atoms) * 160.21766
    )
    assert row["predicted_k_vrh_gpa"] == pytest.approx(elastic.k_vrh, rel=1e-3)
    assert row["predicted_g_vrh_gpa"] == pytest.approx(elastic.g_vrh, rel=1e-3)


def test_only_what_was_trained_on_is_scored_beside_the_tensors(trained):
    model = load_model(trained[1])
    recipe = model.card.recipe | {"datasets": ["elastic", "moduli"]}
    card = msgspec.structs.replace(model.card, recipe=recipe)
    report = evaluate(Model(model.network, card), records(), "test")
    assert set(report["figures"]) == {*TENSORS, "moduli"}


def test_formation_energies_alone(tmp_path):
    rows = [
        replace(r, dataset="formation_energy", targets={"formation_energy": -1.0 - 0.1 * i})
        for i, r in enumerate(records())
    ]
    write_database(tmp_path / "crystals.db", rows)
    recipe = small_recipe(datasets=["formation_energy"], epochs=2, loss={"formation_energy": 1.0})
    path = train(tmp_path / "crystals.db", recipe, tmp_path / "run")
    model = load_model(path)
    assert set(model.card.figures["val"]) == {"formation_energy"}
    report = evaluate(model, rows, "test")
    figures = report["figures"]["formation_energy"]
    assert figures["crystals"] == sum(r.fold == 0 for r in rows)
    assert 0 < figures["mae_ev_per_atom"] <= figures["rmse_ev_per_atom"] < 5
    paths = write_report(report, tmp_path / "report")
    assert [p.name for p in paths] == ["report.json", "parity_formation_energy.html"]


def test_nothing_to_score(trained):
    rows = [r for r in records() if r.fold != 0]
    with pytest.raises(DataError, match="test part of fold 0"):
        evaluate(load_model(trained[1]), rows, "test")


def test_evaluate_on_the_command_line(trained, tmp_path):
    database, path = trained
    arguments = ["evaluate", str(path), "-d", str(database), "-o", str(tmp_path / "report")]
    wide = {"COLUMNS": "200"}
    result = CliRunner().invoke(app, [*arguments, "--part", "val"], env=wide)
    assert result.exit_code == 0, result.output
    assert "median_relative" in result.output
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["part"] == "val"
    assert (tmp_path / "report" / "parity_elasticity_tensor.html").stat().st_size > 1000
    assert CliRunner().invoke(app, [*arguments, "--part", "train"]).exit_code != 0


def test_train_on_the_command_line(trained, tmp_path):
    database, _ = trained
    lines = [f"{k} = {v!r}" for k, v in SMALL.items()]
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        "epochs = 1\nbatch_size = 16\n[network]\n" + "\n".join(lines).replace("'", '"')
    )
    arguments = [
        "train",
        str(recipe),
        "-d",
        str(database),
        "-o",
        str(tmp_path / "out"),
        "--seed",
        "7",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    card = load_model(tmp_path / "out" / "out.safetensors").card
    assert card.recipe["seed"] == 7 and card.recipe["epochs"] == 1
