"""Classes of sites that an atom's surroundings tell, continuous in the positions.

Site symmetry is that of the whole crystal: a foreign atom far away, or noise, makes another class
of every site. Here a classifier learns from invariants of the nearest neighbours alone what spglib
finds in ideal crystals; its probabilities mix the gates of the classes. A site far from a defect
keeps its own, and noise moves them smoothly.

The invariants are power spectra (A. P. Bartók, R. Kondor, G. Csányi, PRB 87, 184115 (2013)) up to
l = 8 of three shells, relative to the nearest distance: of all neighbours alike, and weighted by
how much more electronegative they are.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.special import sph_harm_y
from torch import nn

from ase_eqtensor.crystal.graph import CrystalGraph
from ase_eqtensor.crystal.periodic_table import element
from ase_eqtensor.crystal.site_classes import SITE_CLASSES
from ase_eqtensor.train.fitting.samples import Sample

LMAX = 8
SHELLS = ((1.0, 0.15), (1.45, 0.2), (2.0, 0.3))  # centre and width, in nearest distances
NOBLE = 1.5  # electronegativity of elements without one
WIDTH, STEPS, RATE = 96, 1500, 5e-3
HELD = 0.1  # share of the crystals by which the classifier is judged


def invariants(graph: CrystalGraph) -> np.ndarray:
    """(N, 54) of the atoms of a crystal."""
    receiver = np.repeat(np.arange(len(graph.numbers)), graph.degree)
    distance = np.linalg.norm(graph.vector, axis=1)
    nearest = np.full(len(graph.numbers), np.inf)
    np.minimum.at(nearest, receiver, distance)
    relative = distance / nearest[receiver]
    close = relative < SHELLS[-1][0] + 2 * SHELLS[-1][1]
    receiver, relative = receiver[close], relative[close]
    unit = graph.vector[close] / distance[close, None]
    x = np.nan_to_num([element(z).electronegativity for z in graph.numbers], nan=NOBLE)
    contrast = x[graph.sender[close]] - x[receiver]
    polar, azimuth = np.arccos(np.clip(unit[:, 2], -1, 1)), np.arctan2(unit[:, 1], unit[:, 0])
    harmonics = [
        np.stack([sph_harm_y(l, m, polar, azimuth) for m in range(-l, l + 1)])
        for l in range(LMAX + 1)
    ]
    columns = []
    for centre, width in SHELLS:
        window = np.exp(-(((relative - centre) / width) ** 2))
        total = np.bincount(receiver, window, len(graph.numbers)) + 1e-3
        for weight in (window, window * contrast):
            for y in harmonics:
                sums = np.zeros((len(graph.numbers), len(y)), dtype=complex)
                np.add.at(sums, receiver, (weight * y).T)
                columns.append(np.linalg.norm(sums, axis=1) / total)
    return np.stack(columns, axis=1)


def local_classes(samples: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """The same graphs with shares (N, classes) of the classes that surroundings tell."""
    features = [invariants(sample.graph) for sample in samples]
    held = np.random.default_rng(seed).random(len(samples)) < HELD
    classify = _classifier(features, [s.graph.site_class for s in samples], held, seed)
    return [
        replace(sample, graph=replace(sample.graph, site_class=classify(own)))
        for sample, own in zip(samples, features)
    ]


def _classifier(
    features: Sequence[np.ndarray], labels: Sequence[np.ndarray], held: np.ndarray, seed: int
):
    """Function of features (N, F) that gives shares (N, classes), float32; prints how often the
    likeliest class is the right one in the crystals (n,) that are held out."""
    everything = np.concatenate(features)
    mean, width = everything.mean(0), everything.std(0) + 1e-9

    def scaled(chosen: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(((chosen - mean) / width).astype(np.float32))

    def of(part: np.ndarray, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([arrays[i] for i in np.flatnonzero(part)])

    learnt, judged = (
        (scaled(of(p, features)), torch.from_numpy(of(p, labels))) for p in (~held, held)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            nn.Linear(everything.shape[1], WIDTH), nn.SiLU(), nn.Linear(WIDTH, len(SITE_CLASSES))
        )
        optimiser = torch.optim.Adam(network.parameters(), RATE)
        for _ in range(STEPS):
            batch = torch.randint(len(learnt[1]), (1024,))
            loss = nn.functional.cross_entropy(network(learnt[0][batch]), learnt[1][batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        right = (network(judged[0]).argmax(1) == judged[1]).float().mean()
    print(f"local classes: {100 * right:.0f} % of the held-out sites are of the likeliest class")

    def classify(own: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(scaled(own)).softmax(1).numpy()

    return classify
