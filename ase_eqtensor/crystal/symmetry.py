"""Point group, site-symmetry classes, orbits and primitive cell of a crystal.

spglib gives the space-group type, the primitive lattice and the setting, in one search, or in two
where a group is near the tolerance; everything else follows from the type's tabulated operations.
Tables are used, and not the operations that spglib lists for the given cell, because those are
incomplete for a supercell whose shape breaks the lattice symmetry (24 instead of 48 for Si 1x1x2)
and grow with its pure translations.

An atom's class is its site-symmetry point group, the operations that fix its position. Positions
in general position have the class "1"; so has every atom of a molecular-dynamics frame, whose
space group is truly P1. "unknown" is for crystals in which the search itself fails. Magnetic
moments are ignored.
"""

import warnings
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import spglib
from ase import Atoms

from .canonical import canonical
from .site_classes import class_index, rotation_types

# spglib reports failure by None up to 2.8 and by this exception afterwards. As of 2.7 it also warns
# at every call unless told to raise, and programs whose warnings are errors would end there.
_SEARCH_ERROR = getattr(getattr(spglib, "error", None), "SpglibError", ())
_RAISING: dict[str, Any] = (
    {"_throw": True} if "_throw" in signature(spglib.get_symmetry_dataset).parameters else {}
)

# Relaxed coordinates carry noise of up to 1e-3 Å. Groups found with 1e-5 to 3e-2 Å agree equally
# well with 2,237 public stiffness and dielectric tensors; those found with 0.1 Å contradict some.
DEFAULT_SYMPREC = 1e-2  # Å
MAX_SYMPREC = 0.1  # Å; beyond, groups are found that contradict the computed tensors

# An operation takes an atom to itself (within symprec) or to another atom (an interatomic distance
# away), so every limit between the two tells them apart.
SAME_SITE = 0.2  # Å

MARGIN = 2.0  # factor of the tolerance within which another group makes a crystal borderline
# last space group of each crystal system, and its name
_SYSTEMS = {2: "triclinic", 15: "monoclinic", 74: "orthorhombic", 142: "tetragonal",
            167: "trigonal", 194: "hexagonal", 230: "cubic"}  # fmt: skip
CRYSTAL_SYSTEMS = tuple(_SYSTEMS.values())
SILENT = 1e-6  # traces of projectors, which are fractions of whole numbers, up to rounding


@dataclass(frozen=True)
class CrystalSymmetry:
    """Symmetry of a crystal of N atoms, in the Cartesian frame of the atoms it was found for.

    rotations: (G, 3, 3) float64, the crystal's point group, G <= 48, identity first; orthogonal
        and closed to rounding error, also for a distorted cell. Acts on column vectors.
    site_class: (N,) int64, index into `SITE_CLASSES` of each atom's site-symmetry point group.
    orbit: (N,) int64, smallest index among the atoms equivalent under the space group.
    point_group: International symbol, or "unknown".
    space_group: International number, or 0.
    primitive_index: (P,) int64, atoms that make up one primitive cell, ascending.
    primitive_cell: (3, 3) float64 in Å, primitive lattice vectors as rows. The given cell itself
        when it is primitive already.
    polar: (3, 3) float64, projector on the directions in which polar modes may point, see
        `polar_directions`.
    borderline: whether half or twice the tolerance would change the group.
    """

    rotations: np.ndarray
    site_class: np.ndarray
    orbit: np.ndarray
    point_group: str
    space_group: int
    primitive_index: np.ndarray
    primitive_cell: np.ndarray
    polar: np.ndarray
    borderline: bool = False

    @property
    def known(self) -> bool:
        """Whether the symmetry search succeeded."""
        return self.space_group > 0

    @property
    def crystal_system(self) -> str:
        """One of `CRYSTAL_SYSTEMS`; the first where the symmetry is unknown."""
        return next(name for last, name in _SYSTEMS.items() if self.space_group <= last)


def analyse(atoms: Atoms, symprec: float = DEFAULT_SYMPREC) -> CrystalSymmetry:
    """Symmetry of a fully periodic crystal, found within `symprec` (Å, at most 0.1).

    It belongs to the crystal: no choice of cell vectors, origin, orientation or order of atoms
    matters. Where spglib finds nothing (overlapping atoms, for example) the group is the identity,
    every class "unknown" and the primitive cell the given one; nothing is raised.
    """
    cell = np.array(atoms.cell)
    positions = atoms.positions @ np.linalg.inv(cell)
    basis, order = canonical(cell, positions, atoms.numbers)
    positions = (positions @ np.linalg.inv(basis))[order]
    crystal = (basis @ cell, positions, atoms.numbers[order])
    # a group that holds within twice the tolerance is looked for first: most crystals have one, and
    # for those that have one beyond the tolerance the search decides closely
    wide = _search(crystal, MARGIN * symprec)
    found = wide and _found(crystal, wide)
    borderline = found is not None and found.deviation > symprec / MARGIN
    if found is None or found.deviation > symprec:
        narrow = _search(crystal, symprec)
        found = narrow and _found(crystal, narrow)
    if found is None:
        return _unknown(cell, len(atoms))
    primitive = len(found.first_copy) == len(atoms)
    return CrystalSymmetry(
        rotations=found.rotations,
        site_class=_in_given_order(found.site_class[found.copy_of], order),
        orbit=_smallest_index(_in_given_order(found.orbit, order)),
        point_group=found.point_group,
        space_group=found.space_group,
        primitive_index=np.sort(order[found.first_copy]),
        primitive_cell=cell if primitive else found.lattice,
        polar=found.polar,
        borderline=borderline,
    )


class _Found(NamedTuple):
    """A space group in the canonical description of a crystal of N atoms, P in the primitive cell.

    lattice: (3, 3) primitive. copy_of: (N,) number of the primitive atom. first_copy: (P,) atoms.
    site_class: (P,). orbit: (N,). deviation: largest distance (Å) by which the operations miss cell
    vectors, copies or images of atoms. The others as in `CrystalSymmetry`.
    """

    lattice: np.ndarray
    copy_of: np.ndarray
    first_copy: np.ndarray
    rotations: np.ndarray
    site_class: np.ndarray
    orbit: np.ndarray
    polar: np.ndarray
    point_group: str
    space_group: int
    deviation: float


def _found(crystal: tuple, dataset) -> _Found:
    """What spglib's dataset says of a crystal: (cell, fractional positions, numbers)."""
    cell, positions, _ = crystal
    copy_of, orbit = dataset.mapping_to_primitive, dataset.crystallographic_orbits
    first_copy = np.empty(copy_of.max() + 1, dtype=np.int64)  # of each primitive atom
    first_copy[copy_of[::-1]] = np.arange(len(positions))[::-1]
    # `multiple`, of integers, builds the given cell from the primitive one. Its inverse gives
    # primitive vectors free of the noise of the search; a primitive cell stays as it is.
    multiple = np.eye(3)
    if len(first_copy) < len(positions):
        multiple = np.rint(cell @ np.linalg.inv(dataset.primitive_lattice))
    fraction = np.linalg.inv(multiple)
    lattice = fraction @ cell

    types = _tabulated_operations(dataset.hall_number)[2]
    rotations, translations = _operations_in(multiple, fraction, dataset)
    scaled = positions @ multiple
    sites = scaled[first_copy]
    images = sites @ rotations.transpose(0, 2, 1) + translations[:, None]  # (G, P, 3)
    shift = images - sites
    shift -= np.rint(shift)
    fixes = ((shift @ lattice) ** 2).sum(axis=-1) < SAME_SITE**2
    cartesian, symmetric = _cartesian(rotations, lattice)
    copies = scaled - sites[copy_of]
    return _Found(
        lattice,
        copy_of,
        first_copy,
        cartesian,
        class_index(fixes.T @ types),
        orbit,
        polar_directions(cartesian, fixes, orbit[first_copy]),
        dataset.pointgroup.strip(),
        int(dataset.number),
        max(
            float(np.linalg.norm(symmetric - lattice, axis=1).max()),
            float(np.linalg.norm((copies - np.rint(copies)) @ lattice, axis=1).max()),
            _missed_by(images, sites, orbit[first_copy], lattice),
        ),
    )


def _missed_by(
    images: np.ndarray, sites: np.ndarray, orbit: np.ndarray, lattice: np.ndarray
) -> float:
    """Largest distance (Å) between an image of an atom and the nearest equivalent atom, from
    fractional images (G, P, 3) and sites (P, 3), and the orbit (P,) of each site.

    What an operation has in excess for all atoms is the choice of an origin, and does not count.
    """
    steps = np.empty_like(images)
    operations = np.arange(len(images))[:, None]
    for label in set(orbit.tolist()):
        members = np.flatnonzero(orbit == label)
        between = images[:, members, None] - sites[members]  # (G, n, n, 3)
        between = (between - np.rint(between)) @ lattice
        nearest = (between**2).sum(axis=-1).argmin(axis=-1)  # (G, n)
        steps[:, members] = between[operations, np.arange(len(members)), nearest]
    steps -= steps.mean(axis=1, keepdims=True)
    return float(np.linalg.norm(steps, axis=-1).max())


def _in_given_order(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Values (N,) of atoms that were sorted by `order` (N,), for the atoms as given."""
    given = np.empty_like(values)
    given[order] = values
    return given


def _smallest_index(labels: np.ndarray) -> np.ndarray:
    """The smallest index (N,) among the atoms that share a label (N,)."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def polar_directions(rotations: np.ndarray, fixes: np.ndarray, orbit: np.ndarray) -> np.ndarray:
    """Projector (3, 3) on the directions in which an optical mode at Gamma may carry a dipole.

    The dipole of displacements u_a is sum_a Z_a u_a. Born charges Z_a have the site symmetry of
    their atom, and add up to zero. Crystals of two or more orbits can fulfil that with charges that
    the whole point group leaves alone, so every direction is polar. Where all atoms are equivalent,
    just the part of Z_a is left that the point group averages to nothing: none of it in diamond,
    in bismuth and in crystals of one atom, which have no ionic permittivity at all, and none of it
    along one axis of black phosphorus.

    Args:
        rotations: (G, 3, 3) Cartesian point group.
        fixes: (G, P) bool, whether an operation takes an atom of the primitive cell to itself.
        orbit: (P,) the same number for equivalent atoms.
    """
    if len(np.unique(orbit)) > 1:
        return np.eye(3)
    action = np.einsum("gij,gkl->gikjl", rotations, rotations)  # of a rotation on a charge
    charges = action[fixes[:, 0]].mean(axis=0) - action.mean(axis=0)  # projector on what is left
    dipoles = np.einsum("ikjk->ij", charges)
    dipoles = (rotations @ dipoles @ rotations.transpose(0, 2, 1)).mean(axis=0)
    strength, axes = np.linalg.eigh(dipoles)
    axes = axes[:, strength > SILENT]
    return axes @ axes.T


def primitive(atoms: Atoms, symmetry: CrystalSymmetry) -> Atoms:
    """Primitive crystal (species, positions, cell) in the Cartesian frame of `atoms`; the atoms
    themselves if they are primitive."""
    index = symmetry.primitive_index
    if len(index) == len(atoms):
        return atoms
    return Atoms(
        atoms.numbers[index], atoms.positions[index], cell=symmetry.primitive_cell, pbc=True
    )


def _search(crystal: tuple, symprec: float):
    """spglib's dataset, or None where the search fails."""
    try:
        return spglib.get_symmetry_dataset(crystal, symprec=symprec, **_RAISING)
    except _SEARCH_ERROR:
        return None


def _unknown(cell: np.ndarray, n: int) -> CrystalSymmetry:
    return CrystalSymmetry(
        rotations=np.eye(3)[None],
        site_class=np.zeros(n, dtype=np.int64),
        orbit=np.arange(n),
        point_group="unknown",
        space_group=0,
        primitive_index=np.arange(n),
        primitive_cell=cell,
        polar=np.eye(3) if n > 1 else np.zeros((3, 3)),
    )


@cache
def _tabulated_operations(hall_number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotations (G, 3, 3), translations (G, 3) and one-hot rotation types (G, 10) of a setting.

    One operation for each distinct rotation, the identity first.
    """
    with warnings.catch_warnings():  # that nothing can turn off here
        warnings.filterwarnings("ignore", "Set OLD_ERROR_HANDLING", DeprecationWarning)
        operations = spglib.get_symmetry_from_database(hall_number)
    assert operations is not None  # the number is spglib's own
    _, first = np.unique(operations["rotations"].reshape(-1, 9), axis=0, return_index=True)
    first.sort()
    rotations = operations["rotations"][first].astype(float)
    return rotations, operations["translations"][first], rotation_types(rotations)


def _operations_in(
    multiple: np.ndarray, fraction: np.ndarray, dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Operations x -> W x + w in the primitive basis; W (G, 3, 3) of integers, w (G, 3).

    `multiple` (3, 3) builds the given cell from the primitive one, `fraction` is its inverse.
    """
    rotations, translations, _ = _tabulated_operations(dataset.hall_number)
    # x_primitive = to_primitive @ (x_standard - origin)
    to_primitive = multiple.T @ np.linalg.inv(dataset.transformation_matrix)
    to_standard = dataset.transformation_matrix @ fraction.T
    origin = dataset.origin_shift
    translations = (rotations @ origin + translations - origin) @ to_primitive.T
    return np.rint(to_primitive @ rotations @ to_standard), translations


def _cartesian(rotations: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthogonal matrices (G, 3, 3) of the integer `rotations` of the lattice `cell` (rows), and
    the nearest cell (3, 3) that has these symmetries exactly.

    Its metric is averaged over the group. A pure stretch, without rotation, takes `cell` to it, so
    the Cartesian frame is kept.
    """
    basis, inverse = cell.T, np.linalg.inv(cell).T
    metrics = rotations.transpose(0, 2, 1) @ (basis.T @ basis) @ rotations
    metric = metrics.sum(axis=0) / len(rotations)
    square, axes = np.linalg.eigh(inverse.T @ metric @ inverse)
    stretch = np.sqrt(square)
    basis = (axes * stretch) @ axes.T @ basis
    inverse = inverse @ (axes / stretch) @ axes.T
    matrices = basis @ rotations @ inverse
    # One Newton step towards the polar factor removes the rounding of skewed cells.
    matrices = matrices @ (3 * np.eye(3) - matrices.transpose(0, 2, 1) @ matrices) / 2
    return matrices, basis.T
