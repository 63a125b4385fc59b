"""The convolution against its textbook form, values and gradients, in float64."""

import numpy as np
import pytest
import torch
from crystals import CRYSTALS
from e3nn import o3
from equivariance import graph_of
from networks import tiny_network

from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.network.convolution import Convolution, EdgeFilter

CUTOFF, RADIAL, LMAX, NEIGHBOURS, CLASSES = 4.0, 3, 4, 20.0, 33
INCOMING = {0: 3, 1: 2, 2: 2}
OUTGOING = {0: 4, 1: 3, 2: 2, 4: 2}
CHOSEN = [CRYSTALS["quartz"], CRYSTALS["rocksalt"], CRYSTALS["perovskite"]]


def radial_functions(r: torch.Tensor) -> torch.Tensor:
    x = r / CUTOFF
    envelope = 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
    waves = [(2 / CUTOFF) ** 0.5 * torch.sin(n * torch.pi * x) / r for n in range(1, RADIAL + 1)]
    return torch.stack(waves) * envelope * CUTOFF


def class_weight(weights, k: int) -> torch.Tensor:
    """w^k written out from the definition of each mode."""
    if weights.mode == "full":
        return weights.weight[k]
    if weights.mode == "gate":
        return weights.weight * (1 + weights.gate[k])
    if weights.mode == "lowrank":
        return weights.weight + sum(
            a * v for a, v in zip(weights.coefficient[k], weights.direction, strict=True)
        )
    return weights.weight


def allowed(lf: int, li: int, lo: int) -> bool:
    """Triangle rule, and natural parity of all three."""
    return abs(lf - li) <= lo <= lf + li and (lf + li + lo) % 2 == 0


def slow_convolution(conv: Convolution, features: dict, graph) -> dict[int, torch.Tensor]:
    """L_a = sum_b sum_paths F^k(r_ab) CG (Y(r_ab) x V_b), one atom and one path after the other."""
    receiver = np.repeat(np.arange(len(graph.numbers)), np.concatenate(graph.degrees))
    out = {}
    for lo in OUTGOING:
        rows = []
        for a in range(len(graph.numbers)):
            k = int(graph.batch.site_class[a])
            paths = []
            for li in INCOMING:
                degrees = [
                    lf for lf in range(LMAX + 1) if any(allowed(lf, li, l) for l in OUTGOING)
                ]  # fmt: skip
                w = class_weight(conv.filters[str(li)], k)  # (degrees, radial, channels)
                for i, lf in enumerate(degrees):
                    if not allowed(lf, li, lo):
                        continue
                    cg = o3.wigner_3j(lf, li, lo, dtype=torch.float64) * (2 * lo + 1) ** 0.5
                    mine = torch.from_numpy(receiver == a)
                    vector = graph.batch.vector[mine]
                    y = o3.spherical_harmonics(lf, vector, True, "component")
                    f = torch.stack([radial_functions(r) for r in vector.norm(dim=1)]) @ w[i]
                    v = features[li][graph.batch.sender[mine]]
                    total = torch.einsum("fio,ef,eic,ec->oc", cg, y, v, f)
                    paths.append(total / NEIGHBOURS**0.5)
            path = torch.cat(paths, dim=1)
            mix = class_weight(conv.mix[str(lo)].weights, k)
            rows.append(path @ mix / path.shape[1] ** 0.5)
        out[lo] = torch.stack(rows)
    return out


class Graph:
    def __init__(self, crystals):
        graphs = [graph_of(tiny_network(cutoff=CUTOFF), atoms) for atoms in crystals]
        self.batch = collate(graphs)
        self.numbers = self.batch.numbers
        self.degrees = [g.degree for g in graphs]


def flat(features: dict[int, torch.Tensor]) -> torch.Tensor:
    return torch.cat([x.flatten(1) for x in features.values()], dim=1)


@pytest.mark.parametrize("mode", ["shared", "gate", "lowrank", "full"])
def test_values_and_gradients_against_the_textbook_form(mode):
    graph = Graph(CHOSEN)
    assert len(set(graph.batch.site_class.tolist())) > 2
    conv = Convolution(INCOMING, OUTGOING, RADIAL, LMAX, NEIGHBOURS, mode, CLASSES).double()
    for parameter in conv.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    n = len(graph.numbers)
    features = {
        l: torch.randn(n, 2 * l + 1, c, dtype=torch.float64, requires_grad=True)
        for l, c in INCOMING.items()
    }
    edges = EdgeFilter(CUTOFF, RADIAL, LMAX)(graph.batch, torch.float64)
    fast = conv(flat(features), edges, graph.batch)
    slow = slow_convolution(conv, features, graph)
    inputs = [*features.values(), *conv.parameters()]
    probe = {l: torch.randn_like(x) for l, x in slow.items()}
    gradients = [
        torch.autograd.grad(sum((probe[l] * out[l]).sum() for l in OUTGOING), inputs)
        for out in (fast, slow)
    ]
    for l in OUTGOING:
        assert slow[l].abs().max() > 0.01
        torch.testing.assert_close(fast[l], slow[l], rtol=1e-10, atol=1e-11)
    for a, b in zip(*gradients, strict=True):
        assert b.abs().max() > 0
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)


def test_weights_of_a_class_act_on_its_atoms_only():
    graph = Graph([CRYSTALS["quartz"]])
    conv = Convolution(INCOMING, OUTGOING, RADIAL, LMAX, NEIGHBOURS, "full", CLASSES).double()
    features = torch.randn(
        len(graph.numbers), sum((2 * l + 1) * c for l, c in INCOMING.items())
    ).double()
    edges = EdgeFilter(CUTOFF, RADIAL, LMAX)(graph.batch, torch.float64)
    before = conv(features, edges, graph.batch)
    k = int(graph.batch.site_class[0])
    for weights in (*conv.filters.values(), *(mix.weights for mix in conv.mix.values())):
        weights.weight.data[k] += 0.5
    after = conv(features, edges, graph.batch)
    changed = (after[0] - before[0]).detach().abs().amax((1, 2)) > 1e-9
    assert changed.any() and not changed.all()
    torch.testing.assert_close(changed, graph.batch.site_class == k)
