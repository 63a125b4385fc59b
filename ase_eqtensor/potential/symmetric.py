"""Primitive crystals with their exact symmetry, and how it acts on strains and displacements.

Relaxation and stiffness have the same coordinates: a vector x of n = 6 + 3 P numbers in Å for a
crystal of P atoms, the Mandel components of a symmetric strain times `LENGTH`, then the Cartesian
displacements of the atoms. An operation of the space group acts on x by an orthogonal matrix, in
which lattice translations do not appear.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms

from ..crystal.lattice import bare
from ..crystal.symmetry import DEFAULT_SYMPREC, SAME_SITE, analyse, primitive
from ..errors import StructureError
from ..tensors.notation import MANDEL_MATRICES, mandel_rotation

# Å per unit of strain: about a bond, so that strains and displacements of the same x change bonds
# by similar amounts.
LENGTH = 2.0


@dataclass(frozen=True, eq=False)
class SymmetricCrystal:
    """A primitive crystal of P atoms that has the symmetry of its group to rounding error.

    atoms: species, positions, cell.
    rotations: (G, 3, 3) orthogonal matrices of the point group, in the frame of `atoms`.
    images: (G, P), the atom that an operation takes each atom to.
    """

    atoms: Atoms
    rotations: np.ndarray
    images: np.ndarray

    @cached_property
    def actions(self) -> np.ndarray:
        """Orthogonal matrices (G, n, n), by which the operations act on x."""
        order, size = self.images.shape
        matrices = np.zeros((order, 6 + 3 * size, 6 + 3 * size))
        matrices[:, :6, :6] = mandel_rotation(self.rotations)
        blocks = matrices[:, 6:, 6:].reshape(order, size, 3, size, 3)  # a view
        for g, image in enumerate(self.images):
            blocks[g, image, :, np.arange(size), :] = self.rotations[g]
        return matrices

    @cached_property
    def internal(self) -> np.ndarray:
        """Projector (n, n) on the x that are no translation of the whole crystal."""
        size = len(self.atoms)
        translations = np.zeros((6 + 3 * size, 3))
        translations[6:] = np.tile(np.eye(3), (size, 1)) / np.sqrt(size)
        return np.eye(6 + 3 * size) - translations @ translations.T

    def invariant(self, strains: bool = True) -> np.ndarray:
        """Orthonormal basis (n, k) of the x that break no symmetry and translate nothing, with or
        without strains."""
        projector = self.actions.mean(axis=0) @ self.internal
        bases = [self._displacements(span(projector[6:, 6:]))]
        if strains:
            bases.insert(0, np.pad(span(projector[:6, :6]), ((0, len(projector) - 6), (0, 0))))
        return np.hstack(bases)

    def coupled(self) -> np.ndarray:
        """Orthonormal basis (n, k) of the displacements that strains may cause.

        They are the images of the maps from strains to displacements that commute with the group;
        averages of arbitrary maps over the group are all such maps.
        """
        strains, displacements = self.actions[:, :6, :6], self.actions[:, 6:, 6:]
        maps = np.einsum("gai,gbj->aibj", displacements, strains) / len(strains)
        images = self._displacements(span(maps.reshape(len(maps), -1)))
        return span(self.internal @ images)

    def _displacements(self, vectors: np.ndarray) -> np.ndarray:
        """Displacements (3 P, k) as x (n, k)."""
        return np.pad(vectors, ((6, 0), (0, 0)))

    def deformed(self, x: np.ndarray) -> Atoms:
        """The crystal displaced and then strained by x (n,). The strain is symmetric, so nothing
        is rotated."""
        stretch = deformation(x)
        atoms = self.atoms.copy()
        positions = (atoms.positions + x[6:].reshape(-1, 3)) @ stretch
        atoms.set_cell(self.atoms.cell @ stretch)
        atoms.set_positions(positions)
        return atoms

    def moved(self, x: np.ndarray) -> "SymmetricCrystal":
        """The crystal deformed by an x (n,) that breaks no symmetry."""
        return SymmetricCrystal(self.deformed(x), self.rotations, self.images)


def deformation(x: np.ndarray) -> np.ndarray:
    """The symmetric deformation gradient (3, 3) of x (n,)."""
    return np.eye(3) + np.tensordot(x[:6] / LENGTH, MANDEL_MATRICES, axes=1)


def span(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal basis (n, k) of the columns of a matrix (n, m)."""
    basis, strength, _ = np.linalg.svd(matrix, full_matrices=False)
    return basis[:, strength > 1e-6 * max(1.0, strength.max(initial=0.0))]


def symmetric_crystal(atoms: Atoms, symprec: float = DEFAULT_SYMPREC) -> SymmetricCrystal:
    """The primitive crystal in the Cartesian frame of `atoms`, noise within `symprec` (Å) removed.

    A crystal without known symmetry keeps all its atoms, with the identity alone. Raises
    StructureError where the atoms do not fit the operations that were found.
    """
    symmetry = analyse(atoms, symprec)
    atoms = bare(primitive(atoms, symmetry))
    rotations, cell = symmetry.rotations, np.array(atoms.cell)
    scaled = atoms.positions @ np.linalg.inv(cell)
    # rows of fractional coordinates s -> s @ turn + translation; turn is a matrix of integers
    turns = np.rint(cell @ rotations.transpose(0, 2, 1) @ np.linalg.inv(cell))
    backs = np.linalg.inv(turns)
    images, corrections = [], np.zeros_like(scaled)
    for turn, back in zip(turns, backs):
        image, misplaced = _images(atoms.numbers, scaled, turn, cell)
        images.append(image)
        corrections += misplaced @ back / len(turns)
    cell = (backs @ cell @ rotations.transpose(0, 2, 1)).mean(axis=0)
    atoms.set_cell(cell)
    atoms.set_positions((scaled + corrections) @ cell)
    return SymmetricCrystal(atoms, rotations, np.array(images))


def _images(
    numbers: np.ndarray, scaled: np.ndarray, turn: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the operation with this `turn` takes each atom: index (P,) and the fractional vectors
    (P, 3), without mean, that are missing to its exact place."""
    species, counts = np.unique(numbers, return_counts=True)
    candidates = np.flatnonzero(numbers == species[counts.argmin()])
    turned = scaled @ turn
    translations = scaled[candidates] - turned[candidates[0]]
    missing = scaled - (turned + translations[:, None])[:, :, None]  # (candidates, atom, image, 3)
    missing -= np.rint(missing)
    distance = np.linalg.norm(missing @ cell, axis=-1)
    distance[:, numbers[:, None] != numbers] = np.inf
    best = distance.min(axis=2).max(axis=1).argmin()
    image = distance[best].argmin(axis=1)
    atom = np.arange(len(numbers))
    if distance[best, atom, image].max() > SAME_SITE or len(np.unique(image)) < len(image):
        raise StructureError("the atoms do not fit the symmetry that was found: set symprec lower")
    misplaced = missing[best, atom, image]
    return image, misplaced - misplaced.mean(axis=0)
