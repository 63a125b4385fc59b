"""A tensor of odd rank is trained, scored and stored like any other."""

import logging

import numpy as np
import pytest
import torch
from ase.build import bulk
from training import PAIRS, small_recipe

from ase_eqtensor.models.store import load_model
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.train.data.curation import curate
from ase_eqtensor.train.data.database import write_database
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.run import train
from ase_eqtensor.train.targets.piezoelectric import (
    MOST_READINGS,
    PIEZOELECTRIC_DATA,
    READINGS,
    SMALL,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:lightning", "ignore::UserWarning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
(TARGET,) = PIEZOELECTRIC_DATA.targets


def zincblende(e14: float) -> np.ndarray:
    """e (3, 6) in e/Å^2 from C/m^2."""
    e = np.zeros((3, 6))
    e[0, 3] = e[1, 4] = e[2, 5] = e14
    return e / C_PER_M2


def test_errors_are_relative_above_and_absolute_below():
    large, tiny = (torch.from_numpy(PIEZOELECTRIC.from_ase(zincblende(x))) for x in (1.0, 0.001))
    known = torch.stack([large, tiny])[:, None].repeat(1, MOST_READINGS, 1, 1)
    errors = TARGET.errors(torch.stack([1.1 * large, 3 * tiny]), known)
    assert errors[0] == pytest.approx(0.1, rel=0.05)
    assert errors[1] == pytest.approx(2 * float(tiny.norm()) / (float(tiny.norm()) + SMALL))


def test_of_several_readings_the_nearest_counts():
    tensor = PIEZOELECTRIC.from_ase(zincblende(0.6))
    columns = {READINGS: np.stack([zincblende(0.6), *[zincblende(-0.6)] * (MOST_READINGS - 1)])}
    value = TARGET.value(columns)
    for sign in (1.0, -1.0):
        said = sign * 0.9 * tensor[None]
        assert TARGET.errors(torch.from_numpy(said), torch.from_numpy(value[None]))[0] < 0.1
        np.testing.assert_allclose(TARGET.meant(value[None], said)[0], sign * tensor)
    np.testing.assert_allclose(TARGET.meant(value[None])[0], tensor)  # the likeliest
    assert (TARGET.value({PIEZOELECTRIC.name: zincblende(0.6)}) == tensor).all()


def test_it_is_trained_and_scored_beside_zero(tmp_path):
    crystals = [bulk(pair, "zincblende", a=4.5 + i / 40) for i, pair in enumerate(PAIRS)]
    records = [
        curate(Record(atoms, "piezoelectric", "test", pair, {PIEZOELECTRIC.name: zincblende(0.6)}))
        for pair, atoms in zip(PAIRS, crystals)
    ]
    write_database(tmp_path / "crystals.db", records)
    recipe = small_recipe(datasets=["piezoelectric"], loss={}, epochs=12)
    model = load_model(train(tmp_path / "crystals.db", recipe, tmp_path / "run"))
    assert model.network.odd is not None
    figures = model.card.figures["val"][PIEZOELECTRIC.name]
    assert figures["entries_mae_of_zero"] == pytest.approx(0.6 * 3 / 18)
    assert figures["entries_mae"] < 0.7 * figures["entries_mae_of_zero"]
    assert figures["sign_percent"] == 100
    assert figures["isotropic_oracle"]["mean"] == pytest.approx(1)  # no direction, no tensor
