"""Site-symmetry classes that an atom's surroundings tell, continuous in the positions.

Site symmetry is that of the whole crystal: a foreign atom far away, or noise, makes another class
of every site. Here a classifier reads from invariants of the neighbours alone what spglib finds in
ideal crystals, and its probabilities mix the factors of the classes. An atom far from a defect
keeps its own, and noise moves them smoothly.

The invariants are power spectra (A. P. Bartók, R. Kondor, G. Csányi, PRB 87, 184115 (2013)) of
three shells, relative to the nearest distance: of all neighbours alike, and weighted by how much
more electronegative they are.
"""

import torch
from torch import nn

from ..crystal.graph import GraphBatch
from ..crystal.periodic_table import electronegativities
from ..crystal.site_classes import SITE_CLASSES
from .harmonics import spherical_harmonics
from .members import DEVICE, DTYPE, perceptron, split_members
from .surroundings import fading

LMAX = 8
SHELLS = ((1.0, 0.15), (1.45, 0.2), (2.0, 0.3))  # centre and width, in nearest distances
FARTHEST = 2.6  # in nearest distances, where the last shell ends
INVARIANTS = 2 * len(SHELLS) * (LMAX + 1)
FEW = 1.0  # neighbours; a shell that is all but empty tells nothing, and fades rather than ends
HIDDEN = 96


class LocalClasses(nn.Module):
    """Shares (N, M, classes) of the site-symmetry classes of N atoms, by M members.

    Taught before the network (train/fitting/start.py), and without a gradient.
    """

    def __init__(self, cutoff: float, members: int = 1):
        super().__init__()
        self.cutoff, self.members = cutoff, members
        shape = members, INVARIANTS
        self.middle = nn.Parameter(torch.zeros(shape, dtype=DTYPE, device=DEVICE))
        self.width = nn.Parameter(torch.ones(shape, dtype=DTYPE, device=DEVICE))
        self.classes = perceptron(members, INVARIANTS, HIDDEN, len(SITE_CLASSES))
        self.requires_grad_(False)

    def forward(self, graph: GraphBatch) -> torch.Tensor:
        return self.logits(invariants(graph, self.cutoff)).softmax(dim=2)

    def logits(self, told: torch.Tensor) -> torch.Tensor:
        """(N, M, classes) of invariants (N, `INVARIANTS`)."""
        scaled = (told.to(self.middle)[:, None] - self.middle) / self.width
        return split_members(self.classes(scaled.flatten(1)), self.members)


def invariants(graph: GraphBatch, cutoff: float) -> torch.Tensor:
    """(N, `INVARIANTS`) float64 of the atoms of a batch; `cutoff` in Å is that of its edges, at
    which neighbours fade out."""
    receiver, length = graph.receiver, graph.vector.norm(dim=1)
    nearest = length.new_full((len(graph.numbers),), torch.inf)
    nearest = nearest.scatter_reduce(0, receiver, length, "amin")
    relative = length / nearest[receiver]
    fade = fading(length / cutoff) * fading(relative / FARTHEST)
    windows = [fade * torch.exp(-(((relative - at) / width) ** 2)) for at, width in SHELLS]
    electronegativity = torch.from_numpy(electronegativities(graph.numbers.cpu().numpy()))
    electronegativity = electronegativity.to(length)
    contrast = electronegativity[graph.sender] - electronegativity[receiver]
    weights = torch.stack(
        [w * about for w in windows for about in (torch.ones_like(w), contrast)], 1
    )
    harmonics = torch.cat(spherical_harmonics(graph.vector, LMAX), dim=1)
    sums, slot = [], 0
    for n, k in graph.blocks:
        slots = slice(slot, slot := slot + n * k)
        sums.append(weights[slots].unflatten(0, (n, k)).mT @ harmonics[slots].unflatten(0, (n, k)))
    by_degree = torch.cat(sums).split([2 * l + 1 for l in range(LMAX + 1)], dim=2)
    spectra = torch.stack([part.norm(dim=2) for part in by_degree], dim=2)
    total = spectra[:, ::2, :1].repeat_interleave(2, dim=1)  # that of l = 0: the number in a shell
    return (spectra / (total + FEW)).flatten(1)
