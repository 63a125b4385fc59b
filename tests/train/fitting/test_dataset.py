"""Samples: graphs of the records, and the reference values that come from their targets."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from training import records

from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.errors import DataError
from ase_eqtensor.network.model import Architecture
from ase_eqtensor.network.scaling import Scaling
from ase_eqtensor.quantities import heads
from ase_eqtensor.quantities.permittivity import EPS_NOISE
from ase_eqtensor.train.fitting.samples import (
    Sample,
    SharedBatches,
    prepare,
    references,
)
from ase_eqtensor.train.record import Record

PLAIN = Architecture(densities=False)


@pytest.fixture
def samples():
    return [Sample(record, None) for record in records()]


def test_references_are_medians_of_the_training_data(samples):
    values = references(samples, PLAIN)
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
    assert references(silicon, PLAIN)["ionic"][0] == pytest.approx([3**0.5 * np.log(EPS_NOISE)])
    many = [s for s in samples if s.record.dataset == "dielectric"]
    middle = references([*many, *silicon], PLAIN)["ionic"][0][0]
    assert middle > 0  # and no pull on a median that is not


def test_references_of_densities_are_those_per_atom():
    samples = prepare(records(), 4.5)
    values, plain = references(samples, Architecture(cutoff=4.5)), references(samples, PLAIN)
    polarisability = [
        (s.values["electronic_dielectric_tensor"][0, 0] - 1) * s.record.atoms.get_volume() / 2
        for s in samples
        if "electronic_dielectric_tensor" in s.values
    ]
    assert values["electronic"][0] == pytest.approx([3**0.5 * np.log(np.median(polarisability))])
    assert values["formation_energy"] == plain["formation_energy"]
    stiffness = []
    for s in samples:
        if "elasticity_tensor" in s.values:
            (scale,) = Scaling.of(collate([s.graph]), 4.5).logarithm(heads()["stiffness"])
            stiffness.append(np.log(s.values["elasticity_tensor"][:3, :3].sum() / 3) - float(scale))
    assert values["stiffness"][0][0] == pytest.approx(np.median(stiffness))


def test_lonely_atoms_are_named():
    argon = Record(
        Atoms("Ar", cell=[9.0] * 3, pbc=True), "moduli", "test", "mp-23155",
        {"k_vrh_gpa": 1.0, "g_vrh_gpa": 1.0},
    )  # fmt: skip
    with pytest.raises(DataError, match="moduli mp-23155: .*within 6.0 Å.*larger cutoff.*leave"):
        prepare([argon], 6.0)


def test_batches_depend_on_seed_and_epoch_alone():
    samples = prepare(records(), 4.5)
    orders = {}
    for seed in (0, 1):
        batches = SharedBatches(samples, 8, seed)
        for epoch in (0, 1):
            batches.sampler.set_epoch(epoch)
            orders[seed, epoch] = drawn = list(batches)
            assert sorted(sum(drawn, [])) == list(range(len(samples)))
            assert {len(b) for b in drawn} <= {7, 8} and len(drawn) == len(batches)
    assert len({str(order) for order in orders.values()}) == 4
    torch.rand(3)
    again = SharedBatches(samples, 8, 1)
    again.sampler.set_epoch(1)
    assert list(again) == orders[1, 1]


def test_processes_share_a_batch_by_edges():
    samples = prepare(records(), 4.5)
    batches = SharedBatches(samples, 16, 0)
    for batch in batches:
        parts = batches._shares(batch, 3)
        assert sorted(sum(parts, [])) == sorted(batch)
        load = [sum(len(samples[i].graph.sender) for i in part) for part in parts]
        assert max(load) - min(load) <= max(len(samples[i].graph.sender) for i in batch)
