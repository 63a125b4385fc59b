"""The convolution against e3nn's tensor product on every edge, values and gradients."""

import copy

import pytest
import torch
from crystals import CRYSTALS, crystal_of_point_group
from equivariance import graph_of
from networks import tiny_network
from reference import reference_network

from ase_eqtensor.crystal.graph import BLOCK_SLOTS, collate
from ase_eqtensor.network.classes import ClassWeights
from ase_eqtensor.network.convolution import Convolution, EdgeBasis

CLASSES = 33
CHOSEN = [CRYSTALS["quartz"], CRYSTALS["rocksalt"], CRYSTALS["perovskite"]]


def batch_of(network, crystals):
    return collate([graph_of(network, atoms) for atoms in crystals])


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_values_and_gradients_are_those_of_e3nn(class_mode, dtype):
    """A whole network of convolutions alone, so that gradients pass through two of them."""
    fast = tiny_network(class_mode=class_mode).to(dtype)
    slow = reference_network(fast)
    exact = reference_network(copy.deepcopy(fast).double())
    polar, _ = crystal_of_point_group("1")
    graph = batch_of(fast, [*CHOSEN, CRYSTALS["monoclinic"].repeat((2, 2, 1)), polar])
    assert len(set(graph.site_class.tolist())) > 2 and len(graph.blocks) > 2
    weights = {name: torch.randn(6, 6, dtype=torch.float64) for name in ("stiffness",)}
    weights |= {name: torch.randn(3, 3, dtype=torch.float64) for name in ("electronic", "ionic")}
    weights["piezoelectric"] = 50 * torch.randn(3, 6, dtype=torch.float64)
    results = []
    for net in (fast, slow, exact):
        net.requires_grad_(True)
        out = net.read(graph).arrays
        loss = sum((w * out[name]).sum() for name, w in weights.items())
        names = [name for name, _ in net.named_parameters() if "formation" not in name]
        parameters = dict(net.named_parameters())
        grads = torch.autograd.grad(loss, [parameters[name] for name in names])
        net.requires_grad_(False)
        results.append((out, dict(zip(names, grads, strict=True))))
    (values, gradients), (slow_values, slow_gradients), (expected, expected_gradients) = results
    limit = 1e-5 if dtype == torch.float32 else 1e-6  # e3nn's symbols are made in float32
    for name in weights:
        # rounding is the processor's; where e3nn's own is larger, so may ours be
        rounding = 3 * relative(slow_values[name], expected[name])
        assert relative(values[name], expected[name]) < max(limit, rounding)
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in gradients.items():
        assert expected_gradients[name].norm() > 0 or "learned" in name
        rounding = 3 * relative(slow_gradients[name], expected_gradients[name])
        assert relative(gradient, expected_gradients[name]) < max(limit, rounding), name


@pytest.mark.parametrize("mode", ["shared", "gate", "full"])
def test_class_weights_follow_their_definition(mode):
    weights = ClassWeights((2, 3, 4), 1.0, mode, CLASSES, members=2)
    for parameter in weights.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    table = weights.table().expand(2, CLASSES, 2, 3, 4)
    for m, k in ((0, 0), (0, 7), (1, 7)):
        w = weights.weight[m, k if mode == "full" else 0]
        if mode == "gate":
            w = w * (1 + weights.gate[m, k])
        torch.testing.assert_close(table[m, k], w)


def test_weights_of_a_class_act_on_its_atoms_only():
    network = tiny_network()
    graph = batch_of(network, [CRYSTALS["quartz"]])
    incoming = {0: 3, 1: 2, 2: 2}
    conv = Convolution(incoming, {0: 4, 1: 3, 4: 2}, 4, 4, 20.0, "full", CLASSES).double()
    width = sum((2 * l + 1) * c for l, c in incoming.items())
    features = torch.randn(len(graph.numbers), width, dtype=torch.float64)
    edges = EdgeBasis(5.0, 4, 4)(graph, torch.float64)
    before = conv(features, edges, graph)
    k = int(graph.site_class[0])
    for weights in (*conv.filters.values(), *(mix.weights for mix in conv.mix.values())):
        weights.weight.data[:, k] += 0.5
    after = conv(features, edges, graph)
    changed = (after[0] - before[0]).detach().abs().amax((1, 2)) > 1e-9
    assert changed.any() and not changed.all()
    torch.testing.assert_close(changed, graph.site_class == k)


def test_an_ensemble_is_its_members_side_by_side(class_mode):
    alone = [tiny_network(seed, class_mode=class_mode).double() for seed in range(3)]
    together = tiny_network(members=3, class_mode=class_mode).double()
    states = [network.state_dict() for network in alone]
    together.load_state_dict({k: torch.cat([state[k] for state in states]) for k in states[0]})
    graph = batch_of(together, CHOSEN)
    joint, single = together.read(graph).arrays, [n.read(graph).arrays for n in alone]
    for name, values in joint.items():
        expected = torch.cat([one[name] for one in single])
        assert expected.std(0).max() > 1e-3  # they differ
        torch.testing.assert_close(values, expected, rtol=1e-10, atol=1e-12)


def test_batch_holds_every_edge_once():
    """Blocks cover all atoms, unused slots are null, and each atom finds its own neighbours."""
    network = tiny_network()
    graphs = [graph_of(network, atoms) for atoms in (*CHOSEN, CRYSTALS["silicon"].repeat(3))]
    graph = collate(graphs)
    assert sum(n for n, _ in graph.blocks) == len(graph.numbers)
    assert sum(n * k for n, k in graph.blocks) == len(graph.sender)
    assert all(n * k <= BLOCK_SLOTS or n == 1 for n, k in graph.blocks)
    edges = EdgeBasis(5.0, 4, 4)(graph, torch.float64)
    used = torch.cat([(block.radial != 0).any(2).flatten() for block in edges])
    assert int(used.sum()) == sum(len(g.sender) for g in graphs) < len(used)
    slots = torch.tensor([k for n, k in graph.blocks for _ in range(n)])
    receiver = torch.repeat_interleave(slots)
    assert (graph.crystal[receiver] == graph.crystal[graph.sender])[used].all()
    for i, one in enumerate(graphs):
        mine = used & (graph.crystal[receiver] == i)
        # the same multiset of (receiving species, sending species, vector)
        rows = torch.column_stack(
            [graph.numbers[receiver], graph.numbers[graph.sender], graph.vector]
        )[mine]
        own = torch.from_numpy(one.numbers)
        expected = torch.column_stack(
            [
                own[torch.repeat_interleave(torch.from_numpy(one.degree))],
                own[torch.from_numpy(one.sender)],
                torch.from_numpy(one.vector),
            ]
        )
        rows, expected = (sorted(map(tuple, x.tolist())) for x in (rows, expected))
        assert rows == expected


def test_positions_have_no_gradient_and_say_so():
    graph = batch_of(tiny_network(), [CRYSTALS["silicon"]])
    graph.vector.requires_grad_(True)
    with pytest.raises(NotImplementedError, match="positions"):
        EdgeBasis(5.0, 4, 4)(graph, torch.float64)
