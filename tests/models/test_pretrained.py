"""Models on disk: what was saved comes back, and nothing else is accepted."""

import json
import shutil

import msgspec
import pytest
import torch
from crystals import CRYSTALS
from equivariance import assert_same, bare
from networks import COUNTS, card, tiny_network
from safetensors.torch import load_file, save_file

from ase_eqtensor.errors import ModelError
from ase_eqtensor.models.store import load_model, save_model


@pytest.fixture
def path(weights, tmp_path):
    """A copy of the model that a test may damage."""
    shutil.copy(weights.with_suffix(".json"), tmp_path / "tiny.json")
    return shutil.copy(weights, tmp_path / "tiny.safetensors")


def edit_card(path, **changes):
    card = json.loads(path.with_suffix(".json").read_text())
    card = {k: v for k, v in (card | changes).items() if v is not None}
    path.with_suffix(".json").write_text(json.dumps(card))


@pytest.mark.parametrize("class_mode", ["shared", "gate", "local", "full"])
def test_round_trip(tmp_path, class_mode):
    network = tiny_network(class_mode=class_mode)
    path = save_model(network, card(), tmp_path / "new" / "mine")
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "mine.crystals.npz",
        "mine.json",
        "mine.safetensors",
    ]
    model = load_model(path)
    assert model.name == "mine" and model.card.elements == COUNTS
    assert model.network.architecture == network.architecture
    assert not model.network.training
    assert not any(p.requires_grad for p in model.network.parameters())
    atoms = CRYSTALS["quartz"]
    assert_same(bare(model.network, atoms)[0], bare(network, atoms)[0], 1e-14)


def test_names_with_dots_are_kept(tmp_path):
    path = save_model(tiny_network(), card(), tmp_path / "run-0.5")
    assert path.name == "run-0.5.safetensors"
    assert load_model(path).name == "run-0.5"


def test_saving_again_under_an_old_card_renews_the_hash(tmp_path, model):
    changed = msgspec.structs.replace(model.card, intended_use="a test")
    again = load_model(save_model(tiny_network(seed=5), changed, tmp_path / "second"))
    assert again.sha256 != model.sha256 and again.name == "second"
    assert again.card.intended_use == "a test" and model.card.name == "tiny"


def test_weights_are_plain_tensors(weights):
    """safetensors: 8 bytes of length, then JSON; no pickle and nothing to unpickle."""
    raw = weights.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    tensors = header.keys() - {"__metadata__"}
    assert tensors == tiny_network(class_mode="gate").state_dict().keys()
    json.loads(weights.with_suffix(".json").read_text())


def test_a_pickle_is_never_opened(path, monkeypatch):
    torch.save({"weight": torch.zeros(1)}, path)
    import hashlib

    edit_card(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())

    def forbidden(*args, **kwargs):
        raise AssertionError("unpickled")

    monkeypatch.setattr(torch, "load", forbidden)
    monkeypatch.setattr("pickle.load", forbidden)
    with pytest.raises(ModelError, match="architecture|weights"):
        load_model(path)


def test_unknown_name():
    with pytest.raises(ModelError, match="no model 'joint-v99'.*safetensors"):
        load_model("joint-v99")


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="nowhere.safetensors"):
        load_model(tmp_path / "nowhere.safetensors")


def test_missing_card(path):
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelError, match="card.*tiny.json"):
        load_model(path)


@pytest.mark.parametrize("content", [b"{ not json", b"\xff\xfe\x00", b"[]", b"null"])
def test_unreadable_card(path, content):
    path.with_suffix(".json").write_bytes(content)
    with pytest.raises(ModelError, match="card"):
        load_model(path)


@pytest.mark.parametrize("damage", ["bit", "cut", "empty"])
def test_damaged_weights(path, damage):
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes({"bit": bytes(raw), "cut": bytes(raw[:-100]), "empty": b""}[damage])
    with pytest.raises(ModelError, match="damaged.*[Rr]einstall"):
        load_model(path)


def test_weights_of_another_model(path):
    other = load_file(path)
    save_file({k: v + 1 for k, v in other.items()}, path)
    with pytest.raises(ModelError, match="not the file of its card"):
        load_model(path)


def test_card_of_another_format(path):
    edit_card(path, format=99)
    with pytest.raises(ModelError, match="format 99"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [{"layers": 3}, {"hidden": "8x0e + 4x1o"}, {"class_mode": "full"}, {"radial": 5},
     {"cutoff": 6.0}, {"mean_neighbours": 1.0}, {"reference": {}}, {"hidden": "no irreps"},
     {"class_mode": "none"}, {"colour": "blue"}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_card_of_another_architecture(path, model, change):
    """Also where the tensors would fit: another cutoff changes every prediction."""
    edit_card(path, architecture=model.network.architecture.to_dict() | change)
    with pytest.raises(ModelError, match="architecture"):
        load_model(path)
