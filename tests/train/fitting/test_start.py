"""Where a training begins: references that come from targets, and distances at rest."""

import numpy as np
import pytest
import torch
from ase.build import bulk
from networks import tiny_network
from training import records, small_recipe

from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.network.model import Architecture
from ase_eqtensor.network.rest import RestDistance
from ase_eqtensor.network.scaling import Scaling
from ase_eqtensor.quantities import heads
from ase_eqtensor.quantities.permittivity import EPS_NOISE
from ase_eqtensor.train.fitting.samples import Sample, prepare
from ase_eqtensor.train.fitting.start import references, untrained
from ase_eqtensor.train.record import Record
from studies.laws import strained

CUTOFF = 4.5
ARCHITECTURE = Architecture(cutoff=CUTOFF)


@pytest.fixture
def samples():
    return [Sample(record, None) for record in records()]


@pytest.fixture(scope="module")
def prepared():
    return prepare(records(), CUTOFF)


def test_references_are_medians_of_the_training_data(samples):
    values = references(samples, ARCHITECTURE, None)
    moduli = [s.values["elasticity_tensor"] for s in samples if "elasticity_tensor" in s.values]
    k3 = np.median([c[:3, :3].sum() / 3 for c in moduli])
    assert values["stiffness"][0][0] == pytest.approx(np.log(k3))
    eps = [
        s.values["electronic_dielectric_tensor"][0, 0] - 1
        for s in samples
        if "electronic_dielectric_tensor" in s.values
    ]
    assert values["electronic"][0] == pytest.approx([3**0.5 * np.log(np.median(eps))])


def test_a_part_that_is_mostly_zero_has_a_finite_reference(samples):
    """Elemental semiconductors have eps_total = eps_inf."""
    eps = {"electronic_dielectric_tensor": 12 * np.eye(3), "dielectric_tensor": 12 * np.eye(3)}
    silicon = [Sample(Record(bulk("Si"), "dielectric", "test", "Si", eps), None)]
    assert references(silicon, ARCHITECTURE, None)["ionic"][0] == pytest.approx(
        [3**0.5 * np.log(EPS_NOISE)]
    )
    many = [s for s in samples if s.record.dataset == "dielectric"]
    middle = references([*many, *silicon], ARCHITECTURE, None)["ionic"][0][0]
    assert middle > 0  # and no pull on a median that is not


def test_references_of_densities_are_those_per_atom(prepared):
    rest = tiny_network(cutoff=CUTOFF).rest
    values, plain = (references(prepared, ARCHITECTURE, scaled) for scaled in (rest, None))
    polarisability = [
        (s.values["electronic_dielectric_tensor"][0, 0] - 1) * s.record.atoms.get_volume() / 2
        for s in prepared
        if "electronic_dielectric_tensor" in s.values
    ]
    assert values["electronic"][0] == pytest.approx([3**0.5 * np.log(np.median(polarisability))])
    assert values["formation_energy"] == plain["formation_energy"]
    stiffness = []
    for s in prepared:
        if "elasticity_tensor" in s.values:
            scaling = Scaling.of(collate([s.graph]), CUTOFF, rest)
            scale = scaling.logarithm(heads()["stiffness"])
            stiffness.append(np.log(s.values["elasticity_tensor"][:3, :3].sum() / 3) - float(scale))
    assert values["stiffness"][0][0] == pytest.approx(np.median(stiffness))


def test_distances_at_rest_are_learnt_from_structures_at_rest(prepared):
    """A crystal squeezed by a fifth of its volume is seen to be, if none of these is trained on."""
    squeezed = [
        Record(strained(r.atoms, 0.8), r.dataset, "test", f"{r.source_id}@0.8", r.targets)
        for r in records()
    ]
    samples = [*prepared, *prepare(squeezed, CUTOFF)]
    network = untrained(samples, small_recipe(rest_epochs=40))
    scaling = Scaling.of(collate([s.graph for s in samples]), CUTOFF, network.rest)
    at_rest, squeezed_strain = scaling.strain[0].split(len(prepared))
    before = Scaling.of(collate([s.graph for s in prepared]), CUTOFF, RestDistance()).strain[0]
    assert at_rest.abs().mean() < 0.3 * before.std()
    assert at_rest.median().abs() < 0.01
    assert squeezed_strain.median() == pytest.approx(np.log(0.8) / 3, abs=0.02)
    assert not any(p.requires_grad for p in network.rest.parameters())


def test_training_leaves_distances_at_rest_alone_and_draws_the_same_again(prepared):
    recipe = small_recipe()
    first, again = (_drawn(prepared, recipe) for _ in range(2))
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])


def _drawn(samples, recipe):
    torch.manual_seed(3)
    return untrained(samples, recipe)


def test_strained_crystals_alone_teach_nothing_of_rest():
    squeezed = Record(bulk("Si"), "elastic", "test", "Si@0.9", records()[0].targets)
    network = untrained(prepare([squeezed], CUTOFF), small_recipe())
    assert all(not p.any() for p in network.rest.distance[-1].parameters())
