r"""Dipoles of bonds, by which a potential's internal strain becomes a piezoelectric tensor.

A potential says where ions go under strain, and knows no charge. Here every pair of neighbours a, b
at R has a dipole that the strain eps and their displacements u change,

    V e_iJ = sum_ab w(R) [alpha n n (u_b - u_a)_J + beta (1 - n n) (u_b - u_a)_J]_i
             + |R| (gamma n n n + delta n 1 + zeta 1 n)_iJ,      n = R / |R|,

the second line what electrons do when ions only follow the strain. The five functions of a pair's
elements, surroundings and distance change sign when a and b change places, so that displacing all
ions makes no dipole. For a rigid charge alpha = beta is half the difference of the two charges over
w, and learning starts from electronegativities.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.data import covalent_radii
from matscipy.neighbours import neighbour_list
from torch import nn

from ase_eqtensor.crystal.periodic_table import electronegativities
from ase_eqtensor.models.charges import CUTOFF, DECAY, Neighbourhoods
from ase_eqtensor.tensors.notation import MANDEL_MATRICES

FAINT = 0.01  # weight below which a pair is no bond
STRONGEST = 2.0  # weight that no pair exceeds, however close
USUAL_LENGTH = 2.5  # Å
TERMS = 5
WIDTH, DROPOUT = 64, 0.3
START = 0.3  # e for each unit of electronegativity


class Bonds(NamedTuple):
    """The bonds of B crystals, P in all.

    crystal: (P,) of each bond. first, second: (P, F) features of its ends, see `Neighbourhoods`.
    shape: (P, 3) of its length. polarity: (P,) electronegativity of the first less that of the
        second end. weight: (P,).
    terms: (P, 5, 3, 6; Mandel), 1/Å^2, what each function makes of it. crystals: B.
    """

    crystal: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    shape: torch.Tensor
    polarity: torch.Tensor
    weight: torch.Tensor
    terms: torch.Tensor
    crystals: int

    @classmethod
    def of(cls, atoms: Atoms, internal_strain: np.ndarray) -> "Bonds":
        """Those of a crystal whose ions move by `internal_strain` (3 N, 6; Mandel), Å."""
        moved = internal_strain.reshape(len(atoms), 3, 6)
        i, j, vectors, distances = neighbour_list("ijDd", atoms, CUTOFF)
        radii = covalent_radii[atoms.numbers]
        relative = distances / (radii[i] + radii[j])
        weight = np.exp(-DECAY * (relative - 1))
        kept = (weight > FAINT) & (i < j)  # a bond of an atom to its own image has no dipole
        i, j, vectors, distances = i[kept], j[kept], vectors[kept], distances[kept]
        relative, weight = relative[kept], weight[kept]
        n, one = vectors / distances[:, None], np.eye(3)
        apart = moved[j] - moved[i]
        along = np.einsum("pi,pj,pjJ->piJ", n, n, apart)
        strained = [
            np.einsum("pi,pj,pk->pijk", n, n, n),
            np.einsum("pi,jk->pijk", n, one),
            (np.einsum("ij,pk->pijk", one, n) + np.einsum("ik,pj->pijk", one, n)) / 2,
        ]
        follow = np.einsum("tpijk,Jjk,p->ptiJ", strained, MANDEL_MATRICES, distances)
        moves = np.stack([along, apart - along], axis=1)
        terms = np.concatenate([moves, follow], axis=1) / atoms.get_volume()
        about = Neighbourhoods.of([atoms]).about[0]
        kinds = electronegativities(atoms.numbers)
        shape = np.stack(
            [DECAY * (relative - 1), np.log(weight + 1e-3), distances - USUAL_LENGTH], axis=1
        )
        return cls(
            torch.zeros(len(i), dtype=torch.long),
            about[i],
            about[j],
            torch.from_numpy(shape).float(),
            torch.from_numpy(kinds[i] - kinds[j]).float(),
            torch.from_numpy(np.minimum(weight, STRONGEST)).float(),
            torch.from_numpy(terms).float(),
            1,
        )

    @classmethod
    def joined(cls, parts: Sequence["Bonds"]) -> "Bonds":
        """Those of several single crystals as one."""
        return cls(
            torch.cat([torch.full((len(part.weight),), k) for k, part in enumerate(parts)]),
            torch.cat([part.first for part in parts]),
            torch.cat([part.second for part in parts]),
            torch.cat([part.shape for part in parts]),
            torch.cat([part.polarity for part in parts]),
            torch.cat([part.weight for part in parts]),
            torch.cat([part.terms for part in parts]),
            len(parts),
        )


class BondDipoles(nn.Module):
    """The five functions; `features` is the number F of an end's."""

    def __init__(self, features: int):
        super().__init__()
        last = nn.Linear(WIDTH, TERMS)
        with torch.no_grad():  # electronegativity speaks first
            last.weight.mul_(0.1)
        self.functions = nn.Sequential(
            nn.Linear(2 * features + 3, WIDTH), nn.SiLU(), nn.Dropout(DROPOUT), last
        )
        self.pull = nn.Parameter(torch.tensor([START, START, 0.0, 0.0, 0.0]))

    def forward(self, bonds: Bonds) -> torch.Tensor:
        """Piezoelectric tensors (B, 3, 6; Mandel), e/Å^2."""
        there = self.functions(torch.cat([bonds.first, bonds.second, bonds.shape], 1))
        back = self.functions(torch.cat([bonds.second, bonds.first, bonds.shape], 1))
        strength = there - back + self.pull * bonds.polarity[:, None]
        tensors = torch.einsum("pt,ptiJ,p->piJ", strength, bonds.terms, bonds.weight)
        return tensors.new_zeros(bonds.crystals, 3, 6).index_add(0, bonds.crystal, tensors)
