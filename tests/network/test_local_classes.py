"""Classes that surroundings tell: invariant, continuous, taught by ideal crystals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk
from crystals import CRYSTALS
from equivariance import bare, graph_of, orthogonal, turned
from networks import tiny_network
from training import small_recipe

from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.crystal.site_classes import SITE_CLASSES
from ase_eqtensor.network.classes import ClassWeights
from ase_eqtensor.network.local_classes import INVARIANTS, LocalClasses, invariants
from ase_eqtensor.train.fitting.samples import Sample
from ase_eqtensor.train.fitting.start import teach_classes
from ase_eqtensor.train.record import Record

NETWORK = tiny_network(class_mode="local")
CUTOFF = NETWORK.architecture.cutoff


def told(*crystals) -> np.ndarray:
    """Invariants (N, F), ascending in each column: the order of atoms in a batch is its own."""
    batch = collate([graph_of(NETWORK, atoms) for atoms in crystals])
    return np.sort(invariants(batch, CUTOFF).numpy(), axis=0)


@pytest.mark.parametrize("proper", [True, False])
def test_invariants_do_not_turn(proper):
    atoms = CRYSTALS["quartz"]
    assert told(atoms).shape == (len(atoms), INVARIANTS)
    np.testing.assert_allclose(told(turned(atoms, orthogonal(5, proper))), told(atoms), atol=1e-9)


def test_noise_moves_them_a_little_and_sizes_do_not():
    atoms = CRYSTALS["rutile"].copy()
    before = told(atoms)
    atoms.rattle(1e-5, seed=0)
    np.testing.assert_allclose(told(atoms), before, atol=1e-3)
    small, large = (bulk("Cu", a=a) for a in (3.3, 3.4))  # three shells within the cutoff
    np.testing.assert_allclose(told(large)[0, :18], told(small)[0, :18], atol=1e-3)


def test_neighbours_that_leave_the_cutoff_do_so_smoothly():
    """The third shell of fcc does: half the step, half the change."""
    largest = []
    for steps in (100, 200):
        sizes = np.linspace(4.6, 5.0, steps)
        found = [told(bulk("Al", a=a))[0] for a in sizes]
        largest.append(np.abs(np.diff(found, axis=0)).max())
    assert largest[0] > 0.01
    assert largest[1] == pytest.approx(largest[0] / 2, rel=0.05)


def test_shares_of_one_class_are_that_class():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gate, local = (ClassWeights((3, 4), 1.0, mode, 5, members=2) for mode in ("gate", "local"))
        gate.gate.data.normal_()
    local.load_state_dict(gate.state_dict())
    labels = torch.tensor([1, 3, 3, 4])
    shares = torch.nn.functional.one_hot(labels, 5).float()[:, None].expand(-1, 2, -1)
    for one, other in zip(gate.factors(labels), local.factors(shares)):
        torch.testing.assert_close(one, other)


def test_site_symmetry_of_the_crystal_does_not_matter():
    """Only what surroundings tell does: the labels of spglib may be anything."""
    graph = graph_of(NETWORK, CRYSTALS["quartz"])
    other = replace(graph, site_class=np.full_like(graph.site_class, 7))
    with torch.no_grad():
        a, b = (NETWORK(collate([g]))["elasticity_tensor"] for g in (graph, other))
    assert torch.equal(a, b)
    rattled = CRYSTALS["quartz"].copy()
    rattled.rattle(1e-5, seed=1)
    (before,), (after,) = bare(NETWORK, CRYSTALS["quartz"]), bare(NETWORK, rattled)
    name = "elasticity_tensor"
    assert np.linalg.norm(after[name] - before[name]) < 1e-3 * np.linalg.norm(before[name])


def test_classes_are_taught_by_ideal_crystals():
    samples = [
        Sample(Record(atoms, "elastic", "made up", name, {}), graph_of(NETWORK, atoms))
        for name, atoms in sorted(CRYSTALS.items())
    ]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        local = LocalClasses(CUTOFF)
    teach_classes(local, samples, small_recipe(noise=0.01), progress=False)
    assert not any(parameter.requires_grad for parameter in local.parameters())
    for sample in samples:
        batch = collate([sample.graph])
        shares = local(batch)[:, 0]
        torch.testing.assert_close(shares.sum(1), torch.ones(len(shares)))
        assert (shares.argmax(1) == batch.site_class).float().mean() > 0.9
    assert shares.shape[1] == len(SITE_CLASSES)
