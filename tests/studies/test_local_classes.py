"""Classes that surroundings tell: invariant, continuous, and of use to gates."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from crystals import CRYSTALS
from equivariance import graph_of, orthogonal
from networks import tiny_network

from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.crystal.site_classes import SITE_CLASSES
from ase_eqtensor.network.classes import ClassWeights
from ase_eqtensor.train.fitting.samples import Sample
from ase_eqtensor.train.record import Record
from studies.local_classes import invariants, local_classes

NETWORK = tiny_network(class_mode="gate")


@pytest.mark.parametrize("proper", [True, False])
def test_invariants_turn_into_themselves(proper):
    atoms, turn = CRYSTALS["quartz"].copy(), orthogonal(5, proper)
    before = invariants(graph_of(NETWORK, atoms))
    atoms.set_cell(atoms.cell[:] @ turn.T, scale_atoms=True)
    assert invariants(graph_of(NETWORK, atoms)) == pytest.approx(before, abs=1e-6)


def test_noise_moves_them_a_little():
    atoms = CRYSTALS["rutile"].copy()
    before = invariants(graph_of(NETWORK, atoms))
    atoms.rattle(1e-4, seed=0)
    assert invariants(graph_of(NETWORK, atoms)) == pytest.approx(before, abs=5e-3)


def test_shares_of_one_class_are_that_class():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = ClassWeights((3, 4), 1.0, "gate", len(SITE_CLASSES), members=2)
        weights.gate.data.normal_()
    labels = torch.tensor([1, 7, 7, 32])
    shares = torch.nn.functional.one_hot(labels, len(SITE_CLASSES)).float()
    for one, other in zip(weights.factors(labels), weights.factors(shares)):
        torch.testing.assert_close(one, other)


def test_network_with_shares():
    """Whole shares of one class give what the class gives, gradients too."""
    graph = collate([graph_of(NETWORK, CRYSTALS["quartz"])])
    shares = torch.nn.functional.one_hot(graph.site_class, len(SITE_CLASSES)).float()
    network = tiny_network(class_mode="gate").requires_grad_(True)
    found = []
    for own in (graph, replace(graph, site_class=shares)):
        network.zero_grad()
        value = network(own)["elasticity_tensor"]
        value.sum().backward()
        found.append(
            (value.detach(), [p.grad.clone() for p in network.parameters() if p.grad is not None])
        )
    torch.testing.assert_close(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-4, atol=1e-6)


def test_shares_add_up_and_find_the_classes(capsys):
    samples = [
        Sample(Record(atoms, "elastic", "made up", f"{name}-{i}", {}), graph_of(NETWORK, atoms))
        for i in range(8)
        for name, atoms in sorted(CRYSTALS.items())
    ]
    found = local_classes(samples)
    for sample, other in zip(samples, found):
        shares = other.graph.site_class
        assert shares.sum(1) == pytest.approx(np.ones(len(shares)), abs=1e-5)
        assert (shares.argmax(1) == sample.graph.site_class).mean() > 0.9
    assert "100 % of the held-out sites" in capsys.readouterr().out
