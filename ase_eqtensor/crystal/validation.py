"""Checks on the structures that a user passes: what cannot be a crystal, and what is doubtful."""

from numbers import Real

import numpy as np
from ase import Atoms
from matscipy.neighbours import neighbour_list

from ..errors import (
    ElementError,
    EqTensorError,
    EqTensorWarning,
    MagneticWarning,
    StructureError,
    VacuumWarning,
    located,
)
from .formula import reduced_formula
from .lattice import compact, planes_wider_than, reduced_cell

# The shortest distance in 7,116 crystals of the Materials Project is that of H2, 0.75 Å, and the
# smallest volume that of diamond, 5.6 Å^3 per atom.
MIN_DISTANCE = 0.5  # Å
MIN_VOLUME = 0.5  # Å^3 per atom

# Widest empty gap of bulk crystals, nucleus to nucleus: 4.4 Å in 2,237 stiffness and dielectric
# crystals, layered ones included, and 4.7 Å in caesium. Of 4,879 others 16 are wider; most of
# those are single layers with 7 to 20 Å of vacuum.
MAX_GAP = 5.5  # Å

OCCUPANCY_TOLERANCE = 0.01  # occupancies in CIF files are rounded
MAX_ATOMIC_NUMBER = 118

LEAST_GAP = 1.0  # Å; narrower ones are not looked for, and hardly any crystal has no wider one
FEW_ATOMS = 64  # enough to rule most planes of a large cell out
ATOMS_AT_ONCE = 2_000_000  # times planes


def as_atoms(structure) -> Atoms:
    """ASE atoms of `structure`: ASE Atoms are returned as they are, a pymatgen Structure converted.

    Magnetic moments come along (site property `magmom`, or the spins of the species).

    Raises:
        StructureError: neither kind of object, or sites of pymatgen with partial occupancy.
    """
    if isinstance(structure, Atoms):
        return structure
    from pymatgen.core import IStructure, Structure  # slow, and not needed for Atoms
    from pymatgen.io.ase import AseAtomsAdaptor

    if not isinstance(structure, IStructure):
        raise StructureError(
            f"a {type(structure).__name__} is no crystal structure. Pass ase.Atoms (ase.io.read "
            "makes them from a file) or a pymatgen Structure."
        )
    if not structure.is_ordered:
        site = next(site for site in structure if not site.is_ordered)
        raise StructureError(
            f"{structure.composition.formula}: {_disorder(site.species_string)} "
            "(pymatgen.transformations has OrderDisorderedStructureTransformation)."
        )
    # other site properties may clash with the arrays of ASE, and none of them matters here
    moments = {k: v for k, v in structure.site_properties.items() if k == "magmom"}
    bare = Structure(
        structure.lattice, structure.species, structure.frac_coords, site_properties=moments
    )
    atoms = AseAtomsAdaptor.get_atoms(bare, msonable=False)
    spins = [getattr(site.specie, "spin", None) or 0.0 for site in structure]
    if any(spins):
        atoms.set_initial_magnetic_moments(spins)
    return atoms


def check_structure(atoms: Atoms) -> None:
    """Raise if `atoms` cannot be a crystal that this package describes.

    Raises:
        ElementError: atomic number 0 (dummy `X`) or beyond the periodic table.
        StructureError: no atoms, incomplete periodicity, missing or (nearly) flat cell, numbers
            that are not finite, a cell too skewed to be reduced, partial occupancies that ASE's
            CIF reader dropped, or atoms (or periodic images of one) closer than `MIN_DISTANCE`.
    """
    try:
        _check(atoms)
    except EqTensorError as error:  # the name takes time, which good crystals need not spend
        raise located(error, describe(atoms)) from None


def _check(atoms: Atoms) -> None:
    if len(atoms) == 0:
        raise StructureError("there are no atoms. Pass a crystal with at least one.")
    if not atoms.pbc.all():
        raise StructureError(
            f"periodic along {_directions(atoms)}, but tensors of a crystal need all three "
            f"directions. {_how_to_be_periodic(atoms)}"
        )
    if not (np.isfinite(atoms.cell).all() and np.isfinite(atoms.positions).all()):
        invalid = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1)).tolist()
        where = f"positions of atoms {invalid[:10]}" if invalid else "cell"
        raise StructureError(f"NaN or infinity in the {where}. Repair the coordinates.")
    volume = abs(np.linalg.det(atoms.cell))
    if volume < MIN_VOLUME * len(atoms):
        raise StructureError(
            f"cell volume {volume:.3g} Å^3 for {len(atoms)} atoms. Set a cell with three "
            "independent lattice vectors, in Å."
        )
    _check_elements(atoms)
    _check_occupancies(atoms)
    _check_distances(compact(atoms))


def structure_warnings(atoms: Atoms) -> list[EqTensorWarning]:
    """Warnings, to be issued or recorded, about what the model ignores or does not know."""
    warnings: list[EqTensorWarning] = [*magnetic_warnings(atoms)]
    gap = widest_gap(atoms, least=MAX_GAP)
    if gap > MAX_GAP:
        warnings.append(
            VacuumWarning(
                f"{describe(atoms)}: an empty gap of {gap:.1f} Å looks like a slab, chain or "
                "molecule with vacuum; the model knows bulk crystals, and the tensors depend on "
                "the vacuum."
            )
        )
    return warnings


def magnetic_warnings(atoms: Atoms) -> list[MagneticWarning]:
    """That magnetic moments are ignored, where there are some."""
    moments = atoms.get_initial_magnetic_moments()
    if not np.any(moments):
        return []
    return [
        MagneticWarning(
            f"{describe(atoms)}: magnetic moments up to {abs(moments).max():.3g} are ignored; "
            "the prediction is that of the crystal without them."
        )
    ]


def widest_gap(atoms: Atoms, least: float = LEAST_GAP) -> float:
    """Widest empty layer (Å, nucleus to nucleus) parallel to any lattice plane; `least` (Å), where
    none is wider.

    It belongs to the crystal: neither the choice of cell vectors nor a supercell matters. No layer
    is wider than the planes are apart, so few planes are left once a wide layer is known.

    Raises StructureError for a cell that cannot be reduced.
    """
    cell = reduced_cell(atoms.cell)
    few = atoms.positions[:: 1 + len(atoms) // FEW_ATOMS]  # other atoms only narrow a layer
    gap = least
    half = np.linalg.norm(cell, axis=1).max() / 2
    for spacing in (half, least) if half > least else (least,):
        planes = planes_wider_than(cell, max(gap, spacing))
        chunk = 1 + ATOMS_AT_ONCE // len(atoms)
        for start in range(0, len(planes), chunk):
            part = planes[start : start + chunk]
            part = part[_gaps(few, part) > gap]
            gap = max(gap, _gaps(atoms.positions, part).max(initial=0))
    return float(gap)


def _gaps(positions: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """Widest empty layer (n,) in Å between atoms at `positions` (N, 3) and their periodic images,
    perpendicular to each of the reciprocal vectors `planes` (n, 3)."""
    heights = np.sort(positions @ planes.T % 1.0, axis=0)
    gaps = np.diff(heights, axis=0, append=heights[:1] + 1).max(axis=0)
    return gaps / np.linalg.norm(planes, axis=1)


def describe(atoms: Atoms) -> str:
    """How messages name a structure: by its reduced formula, where it has one."""
    if len(atoms) == 0:
        return "empty structure"
    if atoms.numbers.min() < 0 or atoms.numbers.max() > MAX_ATOMIC_NUMBER:
        return f"structure of {len(atoms)} atoms"
    if atoms.numbers.min() == 0:  # the dummy X, which pymatgen does not know
        return atoms.get_chemical_formula(empirical=True)
    return reduced_formula(atoms)


def _directions(atoms: Atoms) -> str:
    periodic = [axis for axis, there in zip("abc", atoms.pbc) if there]
    return " and ".join(periodic) + " only" if periodic else "no direction"


def _how_to_be_periodic(atoms: Atoms) -> str:
    if atoms.cell.rank < 3:
        return (
            "Give a bulk crystal with its cell; molecules, chains and slabs have no such tensors "
            '(a plain .xyz file has no cell: it needs Lattice="..." in its second line).'
        )
    return (
        'Set atoms.pbc = True (pbc="T T T" in an extended XYZ file) if this is a bulk crystal; '
        "molecules, chains and slabs have no such tensors."
    )


def _check_elements(atoms: Atoms) -> None:
    no_element = (atoms.numbers < 1) | (atoms.numbers > MAX_ATOMIC_NUMBER)
    if no_element.any():
        where = np.flatnonzero(no_element)
        raise ElementError(
            f"atoms {where[:10].tolist()} have atomic number "
            f"{atoms.numbers[where[0]]}, which is no element (0 is the dummy X). Give them a "
            "species or delete them."
        )


def _check_occupancies(atoms: Atoms) -> None:
    """Raise if a site of the CIF was partially occupied.

    ASE keeps only the majority species of a shared site, and the true occupancies in `info`, as
    {site kind: {species: occupancy}}. The entry exists for fully occupied files, too, and has
    strings where the file has "?" or ".".
    """
    occupancy = atoms.info.get("occupancy")
    if not isinstance(occupancy, dict):  # absent, or set by the user
        return
    for species in occupancy.values():
        if not isinstance(species, dict):
            continue
        shares = [float(x) for x in species.values() if isinstance(x, Real)]
        if len(species) > 1 or any(abs(x - 1) > OCCUPANCY_TOLERANCE for x in shares):
            site = ", ".join(f"{symbol}:{x}" for symbol, x in species.items())
            raise StructureError(
                f"{_disorder(site)}, or delete atoms.info['occupancy'] if the atoms as "
                "they are mean an ordered crystal."
            )


def _disorder(site: str) -> str:
    return (
        f"a site with partial occupancy ({site}) has no definite crystal structure. Pass an "
        "ordered approximant"
    )


def _check_distances(atoms: Atoms) -> None:
    # A cutoff longer than necessary divides a large, sparse cell into fewer bins.
    first, second, distance = neighbour_list("ijd", atoms, 2 * MIN_DISTANCE)
    if len(distance) and distance.min() < MIN_DISTANCE:
        closest = distance.argmin()
        raise StructureError(
            f"atoms {first[closest]} and {second[closest]} (or their periodic images) are "
            f"{distance[closest]:.3g} Å apart, less than {MIN_DISTANCE} Å. Remove duplicates, or "
            "check the unit of the cell (Å) and whether positions are Cartesian."
        )
