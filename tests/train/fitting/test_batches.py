"""What training does to its batches: classes hidden, atoms displaced."""

import numpy as np
import pytest
import torch
from crystals import CRYSTALS
from training import records, small_recipe

from ase_eqtensor.crystal.graph import build_graph, collate
from ase_eqtensor.crystal.site_classes import SITE_CLASSES
from ase_eqtensor.train.fitting.fit import prepare_parts
from ase_eqtensor.train.fitting.noise import hide_classes, shaken
from ase_eqtensor.train.fitting.samples import loader
from ase_eqtensor.train.folds import split


@pytest.fixture(scope="module")
def samples():
    recipe = small_recipe()
    return prepare_parts(split(records(), recipe.fold), recipe)


def test_hidden_classes_are_those_of_crystals_without_symmetry(samples):
    graph = next(iter(loader(samples.train * 40, 2000))).graph
    hidden = hide_classes(graph, 0.4, torch.Generator().manual_seed(0))
    names = np.array(SITE_CLASSES)[hidden.site_class]
    whole = [set(names[graph.crystal == i]) for i in range(len(graph.size))]
    shares = [np.mean([one == {name} for one in whole]) for name in ("1", "unknown")]
    assert shares == pytest.approx([0.2, 0.2], abs=0.04)
    kept = ~np.isin(names, ("1", "unknown"))
    assert (hidden.site_class[kept] == graph.site_class[kept]).all() and kept.mean() > 0.5
    again = hide_classes(graph, 0.4, torch.Generator().manual_seed(0))
    assert torch.equal(again.site_class, hidden.site_class)
    none = hide_classes(graph, 0.0, torch.Generator().manual_seed(0))
    assert torch.equal(none.site_class, graph.site_class)


def test_shaken_crystals_are_displaced_crystals():
    """Edges move as those of a crystal whose atoms, and their images, were displaced."""
    atoms = CRYSTALS["quartz"]
    graph = collate([build_graph(atoms, 5.0, np.zeros(len(atoms), int))])
    moved = shaken(graph, 0.01, torch.Generator().manual_seed(0))
    degree = torch.tensor([k for n, k in graph.blocks for _ in range(n)])
    receiver = torch.arange(len(atoms)).repeat_interleave(degree)
    shift = moved.vector - graph.vector
    # every displacement follows from one atom's: all edges between two atoms shift alike
    for a in range(len(atoms)):
        for b in range(len(atoms)):
            between = shift[(receiver == a) & (graph.sender == b)]
            assert not len(between) or torch.allclose(between, between[:1].expand_as(between))
    own = shift[receiver == graph.sender]
    assert len(own) and own.abs().max() < 1e-12
    # with a fixed cell the shifts of a to b and of b to a are opposite
    forth = shift[(receiver == 0) & (graph.sender == 3)][0]
    assert torch.allclose(forth, -shift[(receiver == 3) & (graph.sender == 0)][0])
    assert 0.008 < shift[receiver != graph.sender].std() < 0.02
    assert torch.equal(graph.vector, collate([build_graph(atoms, 5.0, np.zeros(9, int))]).vector)
