"""The class study: fair arms, an honest control, paired differences, runs that can be killed."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from crystals import CRYSTALS
from networks import SMALL
from training import records, small_recipe

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.network.model import Architecture, TensorNetwork
from ase_eqtensor.quantities import heads
from ase_eqtensor.train.data.database import write_database
from ase_eqtensor.train.families.definitions import FAMILIES
from ase_eqtensor.train.fitting.samples import prepare
from ase_eqtensor.train.record import Record
from studies import class_study as study
from studies.class_study import ARMS, PLANS, Run, recipe_of, shuffled_classes, subset
from studies.class_study_report import difference_table
from studies.class_study_results import Results, paired, seed_noise

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def test_wide_has_as_many_parameters_as_gate():
    even = [name for name, head in heads().items() if not head.form.odd]
    count = {
        arm: sum(
            p.numel() for p in TensorNetwork(Architecture(**ARMS[arm], heads=even)).parameters()
        )
        for arm in ("gate", "wide")
    }
    assert count["wide"] == pytest.approx(count["gate"], rel=0.02)


def test_every_run_of_a_plan_has_a_recipe_and_a_name_of_its_own():
    for plan in PLANS.values():
        assert len({run.name for run in plan.runs}) == len(plan.runs)
        for run in plan.runs:
            recipe = recipe_of(run, plan)
            assert (recipe.fold, recipe.seed) == (run.fold, run.seed)


def test_smaller_parts_are_contained_in_larger_ones():
    samples = prepare(records(), 4.5)
    half, quarter = (subset(samples, fraction, seed=1) for fraction in (0.5, 0.25))
    formulas = [{s.record.reduced_formula for s in part} for part in (samples, half, quarter)]
    assert formulas[2] < formulas[1] < formulas[0]
    assert len(formulas[1]) == round(len(formulas[0]) / 2)
    assert {s.record.reduced_formula for s in subset(samples, 0.5, seed=2)} != formulas[1]
    assert len(subset(samples, 1.0, seed=1)) == len(samples)


def test_shuffled_labels_stay_with_orbits_and_stay_as_frequent():
    rows = [
        Record(atoms, "elastic", "test", name, {"elasticity_tensor": np.eye(6)})
        for name, atoms in CRYSTALS.items()
    ]
    samples = prepare(rows, 6.0)
    dealt = shuffled_classes(samples)
    labels = {True: [], False: []}
    for before, after in zip(samples, dealt, strict=True):
        symmetry = analyse(before.record.atoms)
        orbit = symmetry.orbit[symmetry.primitive_index]
        for one in set(orbit.tolist()):
            for shuffled, sample in ((False, before), (True, after)):
                (label,) = set(sample.graph.site_class[orbit == one].tolist())
                labels[shuffled].append(label)
        np.testing.assert_array_equal(before.graph.vector, after.graph.vector)
    assert sorted(labels[True]) == sorted(labels[False])
    assert labels[True] != labels[False]


def test_runs_are_made_once_and_hold_what_the_network_says(tmp_path, monkeypatch):
    write_database(tmp_path / "crystals.db", records())
    monkeypatch.setattr(
        study, "ARMS", {"shared": SMALL, "shuffled": SMALL | {"class_mode": "gate"}}
    )
    runs = (Run("shared", 0, 0), Run("shuffled", 0, 0))
    plan = replace(PLANS["tensors"], runs=runs, epochs={1.0: 1})
    monkeypatch.setitem(study.PLANS, "tiny", plan)
    study.main(tmp_path / "crystals.db", tmp_path / "out", "tiny")
    made = {run.name: tmp_path / "out" / f"{run.name}.npz" for run in runs}
    assert all(path.exists() for path in made.values())
    assert not list((tmp_path / "out").glob("*.tmp"))
    times = {name: path.stat().st_mtime_ns for name, path in made.items()}
    made[runs[1].name].unlink()  # as if killed
    study.main(tmp_path / "crystals.db", tmp_path / "out", "tiny")
    assert made[runs[0].name].stat().st_mtime_ns == times[runs[0].name]
    data = dict(np.load(made[runs[1].name]))
    assert json.loads(str(data["facts"]))["parameters"] > 0
    tested = [r.source_id for r in records() if r.fold == 0 and r.dataset == "elastic"]
    assert data["test/elasticity_tensor/id"].tolist() == tested
    assert data["test/elasticity_tensor/predicted"].shape == (len(tested), 6, 6)
    assert (np.linalg.eigvalsh(data["test/elasticity_tensor/predicted"]) > 0).all()


def test_a_family_left_out_is_the_test_part_and_no_other():
    samples = prepare(records(), 4.5)
    family = "oxygen"
    belongs = FAMILIES[family]
    parts = Run("shared", 0, 0, family=family).parts(samples)
    assert parts["test"]
    assert all(belongs(s.record.atoms) for s in parts["test"])
    assert parts["train"]
    assert not any(belongs(s.record.atoms) for s in parts["train"] + parts["val"])


def fake(folder, run: Run, scale: float) -> None:
    """A run whose predictions are all off by `scale`, and by noise of the seed."""
    rng = np.random.default_rng(run.fold)
    columns = {"facts": json.dumps({"parameters": 1, "minutes": 1.0})}
    for target, d in (
        ("elasticity_tensor", 6),
        ("electronic_dielectric_tensor", 3),
        ("dielectric_tensor", 3),
    ):
        true = np.array([np.eye(d) + 0.2 * np.diag(rng.random(d)) for _ in range(20)])
        columns[f"test/{target}/true"] = true
        columns[f"test/{target}/predicted"] = true * (1 + scale + 0.01 * run.seed)
        columns[f"test/{target}/id"] = np.array([f"c{i}" for i in range(20)])
    np.savez(folder / f"{run.name}.npz", **columns)


def test_differences_are_paired_by_crystal_fold_and_seed(tmp_path):
    for fold in (0, 1):
        for seed in (0, 1, 2):
            fake(tmp_path, Run("shared", fold, seed), 0.10)
            fake(tmp_path, Run("gate", fold, seed), 0.07)
    fake(tmp_path, Run("shared", 2, 0), 0.5)  # without its partner: must not count
    results = Results(tmp_path, PLANS["tensors"])
    a, b = (results.errors(arm, "elasticity_tensor", "test") for arm in ("gate", "shared"))
    np.testing.assert_allclose(paired(a, b), -0.03, atol=1e-12)
    assert len(paired(a, b)) == 40
    noise = seed_noise({k: v for k, v in b.items() if k in a})
    assert noise == pytest.approx(np.sqrt(2 * 0.01**2 / 6))
    assert "-0.0300 [-0.0300, -0.0300]" in difference_table(results, "test")


def test_study_recipes_differ_in_the_network_alone():
    plan = PLANS["tensors"]
    base = recipe_of(Run("shared", 1, 2), plan)
    for arm in ARMS:
        recipe = recipe_of(Run(arm, 1, 2), plan)
        assert replace(recipe, network=base.network) == base
    assert base != small_recipe()
