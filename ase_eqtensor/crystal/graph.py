"""Neighbour lists (matscipy) and the batches of crystals that the network reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from ase import Atoms
from matscipy.neighbours import neighbour_list

from ..errors import StructureError
from .formula import reduced_formula

BLOCK_SLOTS = 1024  # neighbours per block, few enough for their features to fit the CPU cache
FAR_AWAY = 1e6  # Å, beyond every cutoff: components of the vectors in unused slots


@dataclass(frozen=True)
class CrystalGraph:
    """One crystal as the network sees it. Edges are sorted by receiving atom.

    numbers     (N,) int64 atomic numbers
    site_class  (N,) int64 index into crystal.site_classes.SITE_CLASSES
    sender      (E,) int64 neighbour b of each edge
    degree      (N,) int64 number of edges that each atom a receives
    vector      (E, 3) float64 r_b - r_a in Å, Cartesian frame of the atoms
    volume      of the cell per atom, in Å^3
    polar       (3, 3) float64 projector on the directions of polar modes, in the same frame
    odd         whether there may be a tensor of odd parity
    """

    numbers: np.ndarray
    site_class: np.ndarray
    sender: np.ndarray
    degree: np.ndarray
    vector: np.ndarray
    volume: float
    polar: np.ndarray = field(default_factory=lambda: np.eye(3))
    odd: bool = True

    @property
    def receiver(self) -> np.ndarray:
        """(E,) int64 atom a of each edge."""
        return np.repeat(np.arange(len(self.numbers)), self.degree)


def build_graph(
    atoms: Atoms,
    cutoff: float,
    site_class: np.ndarray,
    polar: np.ndarray | None = None,
    odd: bool = True,
) -> CrystalGraph:
    """Graph of all pairs closer than `cutoff` Å, periodic images included.

    `site_class` (N,), `polar` (3, 3) and `odd` are those of `CrystalGraph`; every direction is
    polar unless told otherwise.

    Raises StructureError if an atom has no neighbour inside the cutoff.
    """
    receiver, sender, vector = neighbour_list("ijD", atoms, cutoff)
    degree = np.bincount(receiver, minlength=len(atoms))
    if (degree == 0).any():
        isolated = int(np.argmin(degree))
        raise StructureError(
            f"{reduced_formula(atoms)}: atom {isolated} ({atoms[isolated].symbol}) has no "
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
        volume=atoms.get_volume() / len(atoms),
        polar=np.eye(3) if polar is None else polar,
        odd=odd,
    )


@dataclass(frozen=True)
class GraphBatch:
    """Several crystals side by side: N atoms in all, B crystals, S slots for neighbours.

    Atoms are sorted by falling degree and cut into blocks. All atoms of a block have the same
    number of slots; an atom of lower degree has neighbours in its last ones that are so far away
    that every radial function is zero.

    numbers, site_class (N,) int64, as in `CrystalGraph`
    crystal (N,) int64 index of the crystal that each atom belongs to
    size    (B,) int64 atoms per crystal
    sender  (S,) int64 the neighbour b in each slot of atom a, sorted by a
    vector  (S, 3) float64 r_b - r_a in Å, Cartesian frame of each crystal's atoms
    volume  (B,) float64 of the cells per atom, in Å^3
    polar   (B, 3, 3) float64 projectors on the directions of polar modes, same frame
    odd     (B,) bool, whether there may be tensors of odd parity
    blocks  (n, K) of every block: n atoms with K slots each; N = sum of n, S = sum of n K
    """

    numbers: torch.Tensor
    site_class: torch.Tensor
    crystal: torch.Tensor
    size: torch.Tensor
    sender: torch.Tensor
    vector: torch.Tensor
    volume: torch.Tensor
    polar: torch.Tensor
    odd: torch.Tensor
    blocks: tuple[tuple[int, int], ...]

    @property
    def receiver(self) -> torch.Tensor:
        """(S,) int64 the atom a that each slot belongs to."""
        device = self.vector.device
        atoms, slots = torch.tensor(self.blocks, device=device).T
        slots = slots.repeat_interleave(atoms)
        return torch.arange(len(slots), device=device).repeat_interleave(slots)

    def to(self, device: torch.device | str) -> "GraphBatch":
        """The same batch on another device."""
        tensors = [f.name for f in fields(self) if f.name != "blocks"]
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


def order_in_batch(degree: np.ndarray) -> np.ndarray:
    """Atoms (N,) of crystals one after another in the order of their batch, by their numbers of
    neighbours `degree` (N,)."""
    return np.argsort(-degree, kind="stable")


def collate(graphs: Sequence[CrystalGraph]) -> GraphBatch:
    """Join crystals into one batch; no edge connects two of them."""
    size = np.array([len(g.numbers) for g in graphs])
    offset = np.cumsum(size) - size
    degree = np.concatenate([g.degree for g in graphs])
    first_edge = np.cumsum(degree) - degree  # of each atom
    order = order_in_batch(degree)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))

    blocks = _blocks(degree[order])
    slots = np.repeat([k for _, k in blocks], [n for n, _ in blocks])  # of each atom in `order`
    atom = np.repeat(order, slots)
    slot = np.arange(len(atom)) - np.repeat(np.cumsum(slots) - slots, slots)
    used = slot < degree[atom]
    edge = np.where(used, first_edge[atom] + slot, 0)
    sender = np.concatenate([g.sender + start for g, start in zip(graphs, offset)])
    vector = np.concatenate([g.vector for g in graphs])[edge]
    vector[~used] = FAR_AWAY
    per_atom = {
        "numbers": np.concatenate([g.numbers for g in graphs])[order],
        "site_class": np.concatenate([g.site_class for g in graphs])[order],
        "crystal": np.repeat(np.arange(len(graphs)), size)[order],
    }
    per_crystal = {
        "size": size,
        "volume": np.array([g.volume for g in graphs]),
        "polar": np.stack([g.polar for g in graphs]),
        "odd": np.array([g.odd for g in graphs]),
    }
    arrays = per_atom | per_crystal | {"sender": position[sender[edge]], "vector": vector}
    return GraphBatch(**{k: torch.from_numpy(v) for k, v in arrays.items()}, blocks=blocks)


def _blocks(degree: np.ndarray) -> tuple[tuple[int, int], ...]:
    """(atoms, slots of each) of the blocks that hold atoms of falling degree."""
    blocks, first = [], 0
    while first < len(degree):
        slots = int(degree[first])
        atoms = min(max(1, BLOCK_SLOTS // slots), len(degree) - first)
        blocks.append((atoms, slots))
        first += atoms
    return tuple(blocks)
