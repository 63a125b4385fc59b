"""Born effective charges that nobody taught: those that make a permittivity of force constants.

The ionic part of a permittivity is, with the force constants K of all displacements at Gamma,

    eps_ion = (e^2 / eps_0 V) Z^T K^+ Z

(X. Gonze, C. Lee, Phys. Rev. B 55, 10355 (1997)). A potential knows K; charges Z that give the
known permittivities are learnt from these alone (train/partner/charges.py). The charge of an atom
is a function q of its element, of the elements around it and of how closely they surround it; bonds
to atoms of another q make it differ between directions. What is left of the sum over atoms is taken
from all alike (acoustic sum rule); the symmetry of a site is that of what the charge is made of.

What a crystal's permittivity follows from is Z Z: signs are those of electronegativity, from which
the learning starts, and scales absorb the error of K.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms, units
from ase.data import covalent_radii
from matscipy.neighbours import neighbour_list
from torch import nn

from ..crystal.periodic_table import electronegativities
from ..network.elements import descriptors
from ..network.members import DEVICE, DTYPE, MemberLinear, split_members
from ..potential.opinion import Opinion
from ..potential.response import FLOOR

CUTOFF = 6.0  # Å, of neighbours
DECAY = 8.0  # of a neighbour's weight with its distance over the sum of covalent radii
WIDTH, DROPOUT = 64, 0.1
# Shapes of a neighbourhood about their usual values, in units of about one: logarithm of the number
# of close neighbours, their distance over the radii, volume of an atom in Å^3.
USUAL_NUMBER, USUAL_DISTANCE, USUAL_VOLUME = 2.0, 1.0, 2.7
COULOMB = units._e / (units._eps0 * 1e-10)  # e^2 / eps_0, eV Å
NOT_POLAR = 0.01  # of the greatest strength of a mode: weaker ones are not polar


class Neighbourhoods(NamedTuple):
    """What charges follow from, of B crystals of up to N atoms, padded with zeros.

    atoms: (B, N) 1 where there is an atom.
    about: (B, N, F) features of each. electronegativity: (B, N) of the mean atom less its own.
    near: (B, N, N) weight of each atom among the neighbours of another, which add up to 1.
    along: (B, N, N, 3, 3) sums of these weights times the outer squares of unit vectors.
    """

    atoms: torch.Tensor
    about: torch.Tensor
    electronegativity: torch.Tensor
    near: torch.Tensor
    along: torch.Tensor

    @classmethod
    def of(cls, crystals: Sequence[Atoms]) -> "Neighbourhoods":
        """Those of crystals."""
        arrays = zip(*map(_neighbourhood, crystals))
        return cls(*(padded(same, axes) for same, axes in zip(arrays, (1, 1, 1, 2, 2))))

    def rows(self, chosen: torch.Tensor) -> "Neighbourhoods":
        """Those of some of the crystals."""
        return Neighbourhoods(*(array[chosen] for array in self))


def padded(arrays: Sequence[np.ndarray], axes: int) -> torch.Tensor:
    """One float32 array (B, N, ...) of several (n, ...); as many leading axes are of atoms."""
    longest = max(map(len, arrays))
    whole = np.zeros((len(arrays), *[longest] * axes, *arrays[0].shape[axes:]), dtype=np.float32)
    for row, array in zip(whole, arrays):
        row[tuple(slice(len(array)) for _ in range(axes))] = array
    return torch.from_numpy(whole)


def _neighbourhood(atoms: Atoms) -> tuple[np.ndarray, ...]:
    """The fields of `Neighbourhoods` of a crystal of n atoms."""
    numbers, count = atoms.numbers, len(atoms)
    first, second, vectors, distances = neighbour_list("ijDd", atoms, CUTOFF)
    radii = covalent_radii[numbers]
    relative = distances / (radii[first] + radii[second])
    weight = np.exp(-DECAY * (relative - USUAL_DISTANCE))
    unit = vectors / distances[:, None]
    near, along = np.zeros((count, count)), np.zeros((count, count, 3, 3))
    np.add.at(near, (first, second), weight)
    np.add.at(along, (first, second), weight[:, None, None] * unit[:, :, None] * unit[:, None])
    total = near.sum(1) + 1e-9  # none has a neighbour that far
    distance = np.bincount(first, weight * relative, count) / total
    shape = [
        np.log(total + 0.1) - USUAL_NUMBER,
        (distance - USUAL_DISTANCE) * DECAY,
        np.full(count, np.log(atoms.get_volume() / count) - USUAL_VOLUME),
    ]
    near, along = near / total[:, None], along / total[:, None, None, None]
    kinds = descriptors("properties")[numbers]
    about = np.hstack([kinds, near @ kinds, np.stack(shape, axis=1)])
    electronegativity = electronegativities(numbers)
    return np.ones(count), about, electronegativity.mean() - electronegativity, near, along


class BornCharges(nn.Module):
    """Charges of atoms, in units of e, of M members side by side.

    Z_i = q_i + s_i sum_j w_ij (q_i - q_j) (n_ij n_ij - 1/3), the mean over the atoms less,
    with weights w_ij and directions n_ij of neighbours; q_i and s_i are functions of the features
    of i.
    """

    def __init__(self, members: int = 1):
        super().__init__()
        size = 2 * descriptors("properties").shape[1] + 3
        last = MemberLinear(members, WIDTH, 2)
        with torch.no_grad():  # electronegativity speaks first
            last.weight.mul_(0.1)
            last.bias.zero_()
        self.perceptron = nn.Sequential(
            MemberLinear(members, size, WIDTH), nn.SiLU(), nn.Dropout(DROPOUT), last
        )
        self.pull = nn.Parameter(torch.ones(members, dtype=DTYPE, device=DEVICE))
        self.members = members

    def forward(self, known: Neighbourhoods) -> torch.Tensor:
        """(M, B, N, 3, 3), zero where there is no atom. The first index is of the displacement."""
        about = known.about.repeat(1, 1, self.members)
        charge, slope = split_members(self.perceptron(about), self.members).permute(3, 2, 0, 1)
        charge = charge + self.pull[:, None, None] * known.electronegativity
        identity = torch.eye(3, dtype=charge.dtype)
        directed = known.along - known.near[..., None, None] * identity / 3
        apart = charge[..., :, None] - charge[..., None, :]
        bonds = torch.einsum("mbij,bijkl->mbikl", apart, directed)
        tensors = charge[..., None, None] * identity + slope[..., None, None] * bonds
        tensors = tensors * known.atoms[..., None, None]
        mean = tensors.sum(2, keepdim=True) / known.atoms.sum(1)[:, None, None, None]
        return tensors - mean * known.atoms[..., None, None]


class IonicPart(NamedTuple):
    """permittivity: (3, 3), of the ions alone. softest: eV/Å^2, lowest force constant of a polar
    mode; infinite where none is."""

    permittivity: np.ndarray
    softest: float


def ionic_part(charges: np.ndarray, opinion: Opinion) -> IonicPart:
    """What charges (P, 3, 3) in e make of the force constants that a potential gives a crystal.
    Those below `FLOOR`, also negative ones, count as that."""
    values, modes = opinion.modes
    dipoles = charges.reshape(-1, 3).T @ modes
    strengths = (dipoles**2).sum(0)
    polar = strengths > NOT_POLAR * strengths.max(initial=0.0)
    matrix = dipoles / np.maximum(values, FLOOR) @ dipoles.T
    volume = opinion.atoms.get_volume()
    return IonicPart(COULOMB / volume * matrix, float(values[polar].min(initial=np.inf)))
