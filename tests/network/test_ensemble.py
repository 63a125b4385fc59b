"""Networks merged into one, taken apart again, and scored by members that never saw a crystal."""

import json

import numpy as np
import pytest
import torch
from ase.build import bulk
from equivariance import graph_of
from networks import tiny_network
from training import records, small_recipe

from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.errors import DataError
from ase_eqtensor.models.store import load_model
from ase_eqtensor.network.ensemble import merge, select
from ase_eqtensor.train.data.database import write_database
from ase_eqtensor.train.release import release
from ase_eqtensor.train.run import train
from ase_eqtensor.train.scoring.outputs import out_of_fold

CRYSTALS = [bulk("MgO", "rocksalt", a=4.2), bulk("GaN", "wurtzite", a=3.19, c=5.19)]


def logarithms(network):
    return network.read(collate([graph_of(network, atoms) for atoms in CRYSTALS])).arrays


@pytest.fixture(scope="module")
def networks():
    """Two single networks and a pair, trained about different references."""
    reference = {"stiffness": [[0.1, -0.3]], "electronic": [[1.0]], "ionic": [[0.5]]}
    return [
        tiny_network(1),
        tiny_network(2, reference=reference),
        tiny_network(3, members=2),
    ]


def test_members_predict_what_they_did_alone(networks):
    whole = merge(networks)
    assert whole.architecture.members == 4
    together = logarithms(whole)
    alone = [logarithms(network) for network in networks]
    for name, values in together.items():
        expected = torch.cat([one[name] for one in alone])
        torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-6)


def test_taking_apart(networks):
    whole = merge(networks)
    for chosen in ([1], [3, 0]):
        part = logarithms(select(whole, chosen))
        for name, values in logarithms(whole).items():
            torch.testing.assert_close(part[name], values[chosen], rtol=1e-5, atol=1e-6)


def test_different_architectures_do_not_merge(networks):
    with pytest.raises(ValueError, match="different architectures"):
        merge([networks[0], tiny_network(cutoff=4.0)])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run in each of two folds and a second seed in one of them."""
    folder = tmp_path_factory.mktemp("runs")
    write_database(folder / "crystals.db", records())
    paths = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOKY_MAX_CPU_COUNT", "1")
        for fold, seed in ((0, 0), (0, 1), (1, 0)):
            path = folder / f"fold{fold}-seed{seed}"
            recipe = small_recipe(fold=fold, seed=seed, epochs=1)
            train(folder / "crystals.db", recipe, path)
            paths.append(path)
    return paths


@pytest.fixture(scope="module")
def released(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    return load_model(release("ensemble", records(), runs, folder))


def test_every_crystal_is_predicted_by_members_that_never_saw_it(runs, released):
    found = out_of_fold(released, records())["elasticity_tensor"]
    assert {r.fold for r in found.records} == {0, 1}
    assert found.of_fold(0).predicted.shape[0] + found.of_fold(1).predicted.shape[0] == len(
        found.records
    )
    # fold 1 was left out by one run alone, so what it says of that fold is what counts
    alone = out_of_fold(load_model(runs[2] / f"{runs[2].name}.safetensors"), records())[
        "elasticity_tensor"
    ]
    np.testing.assert_allclose(found.of_fold(1).predicted, alone.predicted, rtol=1e-5, atol=1e-6)


def test_card_of_an_ensemble(released):
    card = released.card
    assert [(m.fold, m.seed) for m in card.members] == [(0, 0), (0, 1), (1, 0)]
    assert released.folds == [0, 1] and released.members_without(0) == [0, 1]
    assert [figures["fold"] for figures in card.by_fold] == [0, 1]
    figures = card.figures["out_of_fold"]["elasticity_tensor"]
    assert figures["crystals"] == sum(
        r.dataset == "elastic" and r.fold in (0, 1) for r in records()
    )
    assert set(card.uncertainty) == set(card.calibration)
    # an element of one composition counts in the runs that trained on it only
    counts = card.elements["elasticity_tensor"]
    elastic = [r for r in records() if r.dataset in ("elastic", "moduli") and not r.in_val]
    fluorides = [r for r in elastic if 9 in r.atoms.numbers]
    by_run = [sum(r.fold != fold for r in fluorides) for fold in (0, 0, 1)]
    assert counts[9] == pytest.approx(np.mean(by_run), abs=0.05)


def test_other_recipes_are_refused(runs, tmp_path):
    card = json.loads((runs[1] / f"{runs[1].name}.json").read_text())
    other = tmp_path / runs[1].name
    other.mkdir()
    for path in runs[1].glob(f"{runs[1].name}.*"):
        (other / path.name).write_bytes(path.read_bytes())
    card["recipe"]["epochs"] = 7
    (other / f"{runs[1].name}.json").write_text(json.dumps(card))
    with pytest.raises(DataError, match="another recipe"):
        release("mixed", records(), [runs[0], other], tmp_path)
