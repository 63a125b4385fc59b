"""Error estimates, calibrated on crystals that the members never saw."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk
from equivariance import MOVES, permuted, turned
from networks import card as small_card
from networks import tiny_network

from ase_eqtensor import EqTensorCalculator, load_model
from ase_eqtensor.crystal.chemistry import CHEMICAL_CLASSES, HALIDES, OXIDES
from ase_eqtensor.crystal.symmetry import CRYSTAL_SYSTEMS
from ase_eqtensor.errors import UnfamiliarWarning
from ase_eqtensor.models.card import DISTANCE, Member
from ase_eqtensor.models.features import Told, error_features, hinges
from ase_eqtensor.models.store import save_model
from ase_eqtensor.models.uncertainty import LEVELS, RELATIVE, bounds_of
from ase_eqtensor.quantities import offered
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.calibration import FLAGGED, calibrate
from ase_eqtensor.train.scoring.checks import check
from ase_eqtensor.train.scoring.deviations import deviations
from ase_eqtensor.train.scoring.outputs import Predictions
from ase_eqtensor.train.targets import TensorTarget, targets

MGO = bulk("MgO", "rocksalt", a=4.2)
GAN = bulk("GaN", "wurtzite", a=3.19, c=5.19)
FOLDS = [0, 0, 1, 1]
TENSORS = [target for target in targets().values() if isinstance(target, TensorTarget)]
FORMULAS = [
    a + b for a in ("Li", "Na", "K", "Rb", "Cs", "Ag", "Cu", "Mg") for b in ("F", "Cl", "Br")
]


def made_up(crystals: int = 1200) -> dict[str, Predictions]:
    """Predictions whose error is proportional to one feature, ten times larger at one end."""
    rng = np.random.default_rng(0)
    distinct = [Record(bulk(f, "rocksalt", a=5.0), "elastic", "test", f, {}) for f in FORMULAS]
    records = [distinct[i % len(distinct)] for i in range(crystals)]
    # in a fixed order: that of a set changes with PYTHONHASHSEED, and the draws with it
    names = sorted({name for target in TENSORS for name in target.error_columns()})
    names = [name for name in names if not name.endswith(DISTANCE)]  # which needs fingerprints
    values = {name: rng.normal(size=crystals) for name in names} | {"constant": np.ones(crystals)}
    ones, zeros = np.ones(crystals), np.zeros(crystals)
    values |= dict.fromkeys([*CHEMICAL_CLASSES, *CRYSTAL_SYSTEMS], zeros)
    values |= {HALIDES: ones, "cubic": ones}
    values |= {f"{name} size": rng.normal(size=crystals) for name in offered()}
    scale = 0.02 * np.exp(rng.uniform(0, np.log(10), crystals))
    for name in names:
        if name.endswith("spread"):
            values[name] = np.log(scale)
    out = {}
    for name, shape in ((target.name, target.quantity.shape) for target in TENSORS):
        target = np.broadcast_to(4 * np.eye(*shape), (crystals, *shape)).copy()
        noise = scale * rng.normal(size=crystals).clip(-2, 2)
        out[name] = Predictions(records, target * np.exp(noise)[:, None, None], target, values)
    return out


@pytest.fixture(scope="module")
def predictions():
    return made_up()


@pytest.fixture(scope="module")
def card(predictions):
    members = [Member(fold=fold, seed=0) for fold in FOLDS]
    return small_card(members=members, uncertainty=calibrate(deviations(predictions)))


@pytest.fixture(scope="module")
def calculator(card, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    path = save_model(tiny_network(members=len(FOLDS)), card, folder / "ensemble")
    return EqTensorCalculator(path, dtype="float64")


def test_bounds_hold_and_follow_the_error(predictions):
    for entry in check(deviations(predictions)).values():
        for quantity in entry.keys() - {"flagged"}:
            one = entry[quantity]
            assert one["coverage"]["0.5"] == pytest.approx(0.5, abs=0.07)
            assert one["coverage"]["0.9"] == pytest.approx(0.9, abs=0.04)
            assert one["width"]["0.9"] < 0.85
            assert set(one["by_system"]) == {"cubic"}
            assert set(one["by_size"]) == {"small", "middle", "large"}
        flagged = entry["flagged"]
        assert flagged["share"] == pytest.approx(FLAGGED, abs=0.03)
        assert flagged["mean_relative"] > 2 * flagged["mean_relative_of_the_others"]


def test_useless_features_leave_the_coverage_right(predictions):
    rng = np.random.default_rng(1)
    noise = {k: rng.permutation(v) for k, v in predictions["elasticity_tensor"].features.items()}
    entry = check(
        deviations({"elasticity_tensor": replace(predictions["elasticity_tensor"], features=noise)})
    )
    for quantity in ("relative_error", "k_vrh_gpa", "g_vrh_gpa"):
        one = entry["elasticity_tensor"][quantity]
        assert one["coverage"]["0.9"] == pytest.approx(0.9, abs=0.04)
        assert one["width"]["0.9"] > 0.9


def test_bounds_hold_in_each_class_and_on_either_side():
    """Errors of one class are larger, and all too often positive."""
    known = deviations(made_up(4000))["elasticity_tensor"]
    one = known["k_vrh_gpa"]
    rng = np.random.default_rng(2)
    oxide = rng.random(len(one.values)) < 0.2
    features = one.features | {HALIDES: (~oxide).astype(float), OXIDES: oxide.astype(float)}
    skewed = np.where(oxide, np.abs(one.values) * 3, one.values)
    moved = replace(one, values=skewed, features=features)
    report = check({"elasticity_tensor": {RELATIVE: known[RELATIVE], "k_vrh_gpa": moved}})
    found = report["elasticity_tensor"]["k_vrh_gpa"]
    for name in (HALIDES, OXIDES):
        assert found["by_class"][name]["0.9"] == pytest.approx(0.9, abs=0.06)
    assert found["by_class"][HALIDES]["0.5"] == pytest.approx(0.5, abs=0.06)
    # the value lies in its own interval, so an interval may hold too often
    assert found["by_class"][OXIDES]["0.5"] >= 0.5
    card = calibrate({"elasticity_tensor": {RELATIVE: known[RELATIVE], "k_vrh_gpa": moved}})
    scale = card["elasticity_tensor"].scales["k_vrh_gpa"]
    bound = features | hinges("elasticity_tensor", features, card["elasticity_tensor"].knots)
    low, high = (ends[oxide] for ends in bounds_of(scale, bound)[0.9])
    assert np.median(high) > 3 * np.median(-low)


def test_families_teach_what_novelty_means():
    """What is new to the model errs five times as far; a family tells, another is told."""
    ordinary = made_up(1500)
    for scored in ordinary.values():
        scored.features["elasticity_tensor novelty"] = np.full(1500, 0.05)
    known = {n: {RELATIVE: e[RELATIVE]} for n, e in deviations(ordinary).items()}
    known = {"elasticity_tensor": known["elasticity_tensor"]}
    usual = known["elasticity_tensor"][RELATIVE].rows(np.arange(300))
    families = {}
    for name in ("one", "other"):
        new = replace(
            usual,
            values=5 * usual.values,
            features=usual.features | {"elasticity_tensor novelty": np.ones(300)},
            formulas=np.array([f"{name}{j}" for j in range(300)]),
            ordinary=np.zeros(300, dtype=bool),
        )
        families[name] = {"elasticity_tensor": {RELATIVE: new}}
    told = check(known, families)["elasticity_tensor"]
    untold = check(known, {"one": families["one"]})["elasticity_tensor"]
    assert told[RELATIVE]["by_family"]["one"]["0.9"] > 0.7
    assert untold[RELATIVE]["by_family"]["one"]["0.9"] < 0.6
    assert told[RELATIVE]["coverage"]["0.9"] == pytest.approx(0.9, abs=0.03)
    assert told["flagged"]["by_family"]["one"]["caught"] > 0.8


def test_families_that_differ_make_bounds_of_what_is_new_wider():
    ordinary = made_up(1500)
    for scored in ordinary.values():
        scored.features["elasticity_tensor novelty"] = np.full(1500, 0.05)
    known = {"elasticity_tensor": {RELATIVE: deviations(ordinary)["elasticity_tensor"][RELATIVE]}}
    usual = known["elasticity_tensor"][RELATIVE].rows(np.arange(300))

    def coefficient(costs: tuple[float, ...]) -> float:
        families = {}
        for i, cost in enumerate(costs):
            new = replace(
                usual,
                values=cost * usual.values,
                features=usual.features | {"elasticity_tensor novelty": np.ones(300)},
                formulas=np.array([f"{i}-{j}" for j in range(300)]),
                ordinary=np.zeros(300, dtype=bool),
                family=np.full(300, str(i)),
            )
            families[str(i)] = {"elasticity_tensor": {RELATIVE: new}}
        entry = calibrate(known, families)["elasticity_tensor"]
        return entry.scales[RELATIVE].coefficients["elasticity_tensor novelty"]

    alike, different = coefficient((4.0, 4.0, 4.0)), coefficient((2.0, 4.0, 8.0))
    assert different > alike + 0.4  # the standard deviation of ln 2, ln 4, ln 8 is 0.57


def test_a_single_fold_is_checked_by_compositions():
    found = made_up(3000)["elasticity_tensor"].of_fold(0)
    entry = check(deviations({"elasticity_tensor": found}))["elasticity_tensor"]["relative_error"]
    assert entry["coverage"]["0.9"] == pytest.approx(0.9, abs=0.05)
    assert {record.fold for record in found.records} == {0} and entry["width"]["0.9"] < 0.9


def test_every_property_has_an_estimate(calculator):
    calculator.get_property("elasticity_tensor", GAN)
    known = calculator.prediction.uncertainty
    assert set(known) == set(offered())
    for name, one in known.items():
        assert 0 < one.relative_error[0.5] < one.relative_error[0.9]
        bounded = {s.name: s for s in offered()[name].scalars if s.least is not None}
        assert set(one.scalars) == set(bounded)
        for scalar, interval in one.scalars.items():
            (a, b), (c, d) = (interval.bounds[level] for level in LEVELS)
            assert bounded[scalar].least < c < a < interval.value < b < d
            assert interval.value == calculator.prediction.scalars[scalar]
    eps = calculator.get_property("dielectric_tensor", GAN)
    assert known["dielectric_tensor"].scalars["eps_total"].value == pytest.approx(np.trace(eps) / 3)


def test_record_is_json(calculator):
    calculator.get_property("elasticity_tensor", MGO)
    record = json.loads(json.dumps(calculator.prediction.record()))
    one = record["uncertainty"]["elasticity_tensor"]
    assert one["relative_error"]["0.5"] < one["relative_error"]["0.9"]
    low, high = one["scalars"]["k_vrh_gpa"]["bounds"]["0.9"]
    assert low < one["scalars"]["k_vrh_gpa"]["value"] < high


@pytest.mark.parametrize("move", MOVES)
def test_estimates_do_not_depend_on_the_setting(calculator, move):
    def estimate(atoms):
        return [
            (one.relative_error[0.9], *(x.value for x in one.scalars.values()))
            for one in calculator.predict([atoms])[0].uncertainty.values()
        ]

    expected = estimate(GAN)
    moved = permuted(turned(GAN, MOVES[move])) * (1, 2, 1)
    for one, other in zip(estimate(moved), expected):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_batch_equals_single(calculator):
    together = calculator.predict([MGO, GAN])
    for one, atoms in zip(together, (MGO, GAN)):
        alone = calculator.predict([atoms])[0]
        for name in offered():
            expected = alone.uncertainty[name].relative_error[0.9]
            assert one.uncertainty[name].relative_error[0.9] == pytest.approx(expected)


def test_spread_is_that_of_members_with_the_same_data():
    shift = {0: 0.3, 1: -2.0}  # folds may differ as they like
    log = torch.randn(4, 1, 3, 3).double().numpy()
    moved = np.stack([one + shift[fold] for one, fold in zip(log, FOLDS)])
    counts, numbers = {"dielectric_tensor": {8: 20, 12: 3}}, [np.array([12, 8])]
    a, b = (
        error_features(Told({"electronic": x}, FOLDS, numbers, [20.0], ["cubic"]), counts)
        for x in (log, moved)
    )
    np.testing.assert_allclose(a["electronic spread"], b["electronic spread"])
    pairs = [log[0] - log[1], log[2] - log[3]]
    expected = np.sqrt(sum((pair**2).sum() for pair in pairs) / 4)
    np.testing.assert_allclose(a["electronic spread"], np.log(expected + 1e-3))
    np.testing.assert_allclose(a["dielectric_tensor rarity"], -np.log(1 + 3))


def test_packing_and_transition_metals():
    numbers = [np.array([22, 8, 8]), np.array([12, 8])]
    found = error_features(Told({}, [0], numbers, [31.2, 18.5], ["tetragonal", "cubic"]), {})
    radii = {22: 1.60, 8: 0.66}  # Å, B. Cordero et al., Dalton Trans. 2832 (2008)
    spheres = 4 / 3 * np.pi * (radii[22] ** 3 + 2 * radii[8] ** 3)
    assert found["packing"][0] == pytest.approx(np.log(spheres / 31.2))
    np.testing.assert_allclose(found["transition metals"], [1 / 3, 0])


def test_isotropic_tensors_have_no_anisotropy():
    stiffness = np.diag([2.0, 2, 2, 1, 1, 1])[None, None]
    stiffness[..., :3, :3] += 0.5 - 0.5 * np.eye(3)  # C11 - C12 = 1.5, 2 C44 = 1: cubic
    oxygen = ([0], [np.array([8])], [9.0], ["cubic"])
    cubic = error_features(Told({"stiffness": stiffness}, *oxygen), {})
    stiffness[..., :3, :3] -= 0.5 * np.eye(3)
    isotropic = error_features(Told({"stiffness": stiffness}, *oxygen), {})
    assert isotropic["stiffness anisotropy"] == pytest.approx(np.log(0.03))
    assert cubic["stiffness anisotropy"] > np.log(0.1)


def test_unfamiliar_crystals_are_flagged(card, tmp_path):
    strange = copy.deepcopy(card)
    for name, entry in strange.uncertainty.items():
        entry.unfamiliar_above = 0.0 if name == "dielectric_tensor" else 1e9
    path = save_model(tiny_network(members=len(FOLDS)), strange, tmp_path / "strict")
    calculator = EqTensorCalculator(path)
    with pytest.warns(UnfamiliarWarning, match="MgO is unlike the training data"):
        calculator.get_property("dielectric_tensor", MGO)
    assert "unlike_training_data" in calculator.prediction.flags
    others = calculator.prediction.warnings_for("elasticity_tensor")
    assert not any(isinstance(warning, UnfamiliarWarning) for warning in others)


def test_models_without_calibration_give_no_estimate(model):
    assert EqTensorCalculator(model).predict([MGO])[0].uncertainty == {}


def test_refused_properties_have_none(card, tmp_path):
    path = save_model(tiny_network(members=len(FOLDS)), card, tmp_path / "ensemble")
    chloride = EqTensorCalculator(path).predict([bulk("NaCl", "rocksalt", a=5.6)])[0]
    assert set(chloride.uncertainty) == set(chloride.tensors) and len(chloride.tensors) == 3
    assert load_model(path).error_model.folds == FOLDS
