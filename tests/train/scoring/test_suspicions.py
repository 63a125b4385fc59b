"""Flags that features raise."""

import numpy as np
import pytest
from ase.build import bulk

from ase_eqtensor.errors import SoftModeWarning
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.outputs import Predictions
from ase_eqtensor.train.scoring.suspicions import RAISED, suspicions

CRYSTALS = 400


def predictions(soft: np.ndarray) -> dict[str, Predictions]:
    """Crystals of which those with a large permittivity have a large ionic level, too."""
    rng = np.random.default_rng(0)
    metals = ("Li", "Na", "K", "Rb", "Cs", "Ag", "Cu", "Mg", "Ca", "Sr")
    names = [a + b for a in metals for b in ("F", "Cl", "Br", "I")]
    records = []
    for i, large in enumerate(soft):
        eps = np.eye(3) * (60.0 if large else 9.0)
        atoms = bulk(names[i % len(names)], "rocksalt", a=5.0)
        records.append(Record(atoms, "dielectric", "test", str(i), {"dielectric_tensor": eps}))
    values = np.stack([record.targets["dielectric_tensor"] for record in records])
    noise = rng.normal(size=CRYSTALS)
    features = {"ionic level": 3.0 * soft + noise, "packing": rng.normal(size=CRYSTALS)}
    features["d0 oxides"] = np.zeros(CRYSTALS)
    return {"dielectric_tensor": Predictions(records, values, values, features)}


def test_what_features_tell_is_caught():
    soft = np.random.default_rng(1).random(CRYSTALS) < 0.08
    found = suspicions(predictions(soft), {})
    assert found.keys() == {SoftModeWarning.flag}  # there are no labels, so nothing is unstable
    one = found[SoftModeWarning.flag]
    assert one.coefficients["ionic level"] > 5 * abs(one.coefficients["packing"])
    assert one.rates["deserving"] == soft.sum() and one.rates["others"] == (~soft).sum()
    assert one.rates["caught"] > 0.7 and one.rates["false_alarms"] < RAISED


def test_what_features_do_not_tell_is_stated():
    soft = np.random.default_rng(1).random(CRYSTALS) < 0.2
    scored = predictions(soft)["dielectric_tensor"]
    order = np.random.default_rng(3).permutation(CRYSTALS)
    mixed = {name: column[order] for name, column in scored.features.items()}
    blind = Predictions(scored.records, scored.predicted, scored.target, mixed)
    rates = suspicions({"dielectric_tensor": blind}, {})[SoftModeWarning.flag].rates
    assert rates["caught"] == pytest.approx(rates["false_alarms"], abs=0.1)


def test_too_few_crystals_raise_no_flag():
    soft = np.arange(CRYSTALS) < 5
    assert suspicions(predictions(soft), {}) == {}
