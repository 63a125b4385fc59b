"""Neighbour lists (matscipy) and the batches of crystals that the network reads."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from ase import Atoms
from matscipy.neighbours import neighbour_list

from ..errors import StructureError

BLOCK_ATOMS = 64  # atoms per neighbour block: small enough for the processor's cache


@dataclass(frozen=True)
class CrystalGraph:
    """One crystal as the network sees it. Edges are sorted by receiving atom.

    numbers     (N,) int64 atomic numbers
    site_class  (N,) int64 index into crystal.symmetry.SITE_CLASSES
    sender      (E,) int64 neighbour b of each edge
    degree      (N,) int64 number of edges that each atom a receives
    vector      (E, 3) float64 r_b - r_a in Å, Cartesian frame of the atoms
    """

    numbers: np.ndarray
    site_class: np.ndarray
    sender: np.ndarray
    degree: np.ndarray
    vector: np.ndarray


def build_graph(atoms: Atoms, cutoff: float, site_class: np.ndarray) -> CrystalGraph:
    """Graph of all pairs closer than `cutoff` Å, periodic images included.

    Raises StructureError if an atom has no neighbour inside the cutoff.
    """
    receiver, sender, vector = neighbour_list("ijD", atoms, cutoff)
    degree = np.bincount(receiver, minlength=len(atoms))
    if (degree == 0).any():
        lonely = int(np.argmin(degree))
        raise StructureError(
            f"{atoms.get_chemical_formula()}: atom {lonely} ({atoms[lonely].symbol}) has no "
            f"neighbour within {cutoff} Å; the model describes condensed crystals only. "
            "Check the cell and the length unit of the file."
        )
    order = np.argsort(receiver, kind="stable")
    return CrystalGraph(
        numbers=atoms.numbers.astype(np.int64),
        site_class=np.asarray(site_class, dtype=np.int64),
        sender=sender[order].astype(np.int64),
        degree=degree.astype(np.int64),
        vector=vector[order],
    )


@dataclass(frozen=True)
class NeighbourBlock:
    """Receiving atoms of similar degree, with their edges padded to a common number K.

    atoms  (n,) int64 receiving atoms
    edges  (n, K) int64 their edges; padding points at the extra edge number E, which is null
    """

    atoms: torch.Tensor
    edges: torch.Tensor


@dataclass(frozen=True)
class GraphBatch:
    """Several crystals side by side: N atoms and E edges in all, B crystals.

    numbers, site_class, crystal (N,); sender (E,); vector (E, 3); size (B,) atoms per crystal;
    blocks: neighbour blocks that together hold every atom once; inverse (N,): position of each
    atom in the concatenated blocks.
    """

    numbers: torch.Tensor
    site_class: torch.Tensor
    crystal: torch.Tensor
    size: torch.Tensor
    sender: torch.Tensor
    vector: torch.Tensor
    blocks: tuple[NeighbourBlock, ...]
    inverse: torch.Tensor

    def to(self, device: torch.device | str) -> "GraphBatch":
        """The same batch on another device."""
        moved = {
            f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "blocks"
        }
        blocks = tuple(NeighbourBlock(b.atoms.to(device), b.edges.to(device)) for b in self.blocks)
        return replace(self, blocks=blocks, **moved)


def collate(graphs: Sequence[CrystalGraph]) -> GraphBatch:
    """Join crystals into one batch; no edge connects two of them."""
    size = np.array([len(g.numbers) for g in graphs])
    offset = np.cumsum(size) - size
    degree = np.concatenate([g.degree for g in graphs])
    blocks, inverse = _neighbour_blocks(degree)
    return GraphBatch(
        numbers=torch.from_numpy(np.concatenate([g.numbers for g in graphs])),
        site_class=torch.from_numpy(np.concatenate([g.site_class for g in graphs])),
        crystal=torch.from_numpy(np.repeat(np.arange(len(graphs)), size)),
        size=torch.from_numpy(size),
        sender=torch.from_numpy(np.concatenate([g.sender + o for g, o in zip(graphs, offset)])),
        vector=torch.from_numpy(np.concatenate([g.vector for g in graphs])),
        blocks=blocks,
        inverse=inverse,
    )


def _neighbour_blocks(degree: np.ndarray) -> tuple[tuple[NeighbourBlock, ...], torch.Tensor]:
    """Sort atoms by degree and cut them into blocks, so that little of the padding is wasted."""
    start = np.cumsum(degree) - degree
    order = np.argsort(degree, kind="stable")
    blocks = []
    for first in range(0, len(order), BLOCK_ATOMS):
        atoms = order[first : first + BLOCK_ATOMS]
        slot = np.arange(degree[atoms].max())
        edges = np.where(slot < degree[atoms, None], start[atoms, None] + slot, degree.sum())
        blocks.append(NeighbourBlock(torch.from_numpy(atoms), torch.from_numpy(edges)))
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return tuple(blocks), torch.from_numpy(inverse)
