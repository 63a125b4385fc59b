"""Samples: graphs of the records, and batches of them."""

import pytest
import torch
from ase import Atoms
from training import records

from ase_eqtensor.errors import DataError
from ase_eqtensor.train.fitting.samples import (
    SharedBatches,
    prepare,
)
from ase_eqtensor.train.record import Record


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
