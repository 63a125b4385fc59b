"""CIF files: ASE parses them, and what is made of their sites is checked against what they state.

ASE's own expansion of the sites ignores origin choices, monoclinic cell choices and rhombohedral
axes, and adds an inversion to listed operations; so the operations are given to it, and a second
expansion, with distances in Å, has to agree.
"""

import io
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from traceback import extract_tb

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.geometry import find_mic
from ase.io.cif import CIFBlock, parse_cif
from ase.spacegroup import Spacegroup, crystal
from ase.spacegroup.spacegroup import spacegroup_from_data

from ..errors import StructureError
from .operations import Operations, operations_of, stated_group, value_of

SAME_SITE = 0.1  # Å; coordinates of special positions are rounded
FORMULA_TOLERANCE = 0.01  # relative, of the share of an element
FULL_OCCUPANCY = 0.99
SITES = "_atom_site_"
COUNTED = re.compile(r"([A-Z][a-z]?)\s*(\d+\.?\d*|\.\d+)?(?:\(\d+\))?")  # O2 in a formula
MOMENTS = ("_atom_site_moment.label", "_atom_site_moment_label")
MOMENT_AXES = ("crystalaxis", "cartn")
DAMAGED = ("Wrong number", "Badly formed", "Duplicated loop")  # what ASE's parser only warns of


def read_cif(text: str) -> Iterator[Atoms | StructureError]:
    """The crystals of a CIF, one for each data block with sites, or why a block has none."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            blocks = list(parse_cif(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"))))
        except Exception as error:  # asserts, IndexError, ... of whatever a broken file leads to
            yield StructureError(f"it is no well-formed CIF ({reason_of(error)})")
            return
    damage = [str(w.message) for w in told if str(w.message).startswith(DAMAGED)]
    for block in blocks:
        if not any(name.startswith(SITES) for name in block):
            continue
        try:
            if damage:
                raise StructureError(f"a line of it is damaged: {damage[0]}")
            yield _crystal(block)
        except StructureError as error:
            yield error if len(blocks) == 1 else StructureError(f"block {block.name}: {error}")
        except Exception as error:  # ASE's readers raise whatever a broken block leads to
            reason = reason_of(error)
            yield StructureError(f"block {block.name} of the CIF is damaged ({reason})")


def reason_of(error: Exception) -> str:
    """What an error of a library says, or what it stumbled over where it says nothing."""
    text, kind = str(error).strip(), type(error).__name__
    if text:
        return text if kind in text else f"{kind}: {text}"
    frames = extract_tb(error.__traceback__)
    stopped = frames[-1].line if frames else ""
    return (
        f"ASE's reader stopped at {stopped!r}"
        if stopped
        else f"ASE's reader gave no reason, {kind}"
    )


def _crystal(block: CIFBlock) -> Atoms:
    """The crystal of a block. Raises StructureError where the block contradicts itself."""
    formula = _stated_formula(block)
    sites = _sites(block, set(formula or ()))
    candidates = operations_of(block, sites.cell.array)
    answers = []
    for operations in candidates:
        try:
            answers.append((operations, _expand(block, sites, operations, formula)))
        except StructureError as error:
            reason = error
    if not answers:
        raise reason
    (operations, atoms), *others = answers
    for other, twin in others:
        if sorted(twin.numbers) != sorted(atoms.numbers) or not _same_distances(atoms, twin):
            raise StructureError(
                f"it names no origin choice and lists no operations: {operations.origin} gives "
                f"{atoms.get_chemical_formula()}, {other.origin} {twin.get_chemical_formula()} and "
                "another crystal. Add :1 or :2 to the symbol, or list the operations"
            )
    return atoms


def _expand(
    block: CIFBlock, sites: Atoms, operations: Operations, formula: dict[str, float] | None
) -> Atoms:
    occupancies = _column(block, "_atom_site_occupancy")
    number = operations.number or 1
    group = spacegroup_from_data(
        no=number,
        setting=1,
        subtrans=[(0.0, 0.0, 0.0)],
        centrosymmetric=False,
        sitesym=operations.texts(),
    )
    # what is listed twice is kept once; a second species in its place is found out below
    atoms = crystal(sites, spacegroup=group, occupancies=occupancies, onduplicates="keep")
    # ASE's writers cannot keep operations of one's own
    atoms.info["spacegroup"] = Spacegroup(number)
    shares = [share for share in occupancies or () if isinstance(share, (int, float))]
    if all(share > FULL_OCCUPANCY for share in shares):  # others are refused later on
        _check_expansion(atoms, sites, operations)
        _check_formula(atoms, block, formula, operations)
    return atoms


def _sites(block: CIFBlock, elements: set[str]) -> Atoms:
    """The listed sites in the cell of the file, with magnetic moments where it has them."""
    labels = _column(block, "_atom_site_label")
    kinds = _column(block, "_atom_site_type_symbol") or labels
    if not kinds:
        raise StructureError("its sites have neither _atom_site_type_symbol nor _atom_site_label")
    symbols = [_element(str(kind), kinds is labels, elements) for kind in kinds]
    cell = block.get_cellpar()
    if cell is None or not all(isinstance(x, (int, float)) for x in cell):
        raise StructureError(f"its cell lengths and angles are {cell}: give six numbers")
    columns = [_column(block, f"{SITES}fract_{x}") for x in "xyz"]
    scaled = all(columns)
    if not scaled:
        columns = [_column(block, f"{SITES}cartn_{x}") for x in "xyz"]
    if not all(columns):
        raise StructureError("its sites have no coordinates (_atom_site_fract_x, ...)")
    for label, place in zip(labels or kinds, zip(*columns)):
        if not all(isinstance(x, (int, float)) for x in place):
            raise StructureError(
                f"site {label} has the coordinates {' '.join(map(str, place))}: give three "
                "numbers, or delete the site"
            )
    atoms = Atoms([s if s != "D" else "H" for s in symbols], cell=cell, pbc=True)
    if atoms.cell.rank < 3:
        raise StructureError(f"its cell {cell} is flat: correct lengths and angles")
    places = np.array(columns, dtype=float).T
    atoms.set_scaled_positions(places) if scaled else atoms.set_positions(places)
    masses = atoms.get_masses()
    masses[[s == "D" for s in symbols]] = 2.01355
    if "D" in symbols:
        atoms.set_masses(masses)
    _set_moments(atoms, block, labels)
    return atoms


def _set_moments(atoms: Atoms, block: CIFBlock, labels: list | None) -> None:
    """Sizes of magnetic moments: they are ignored later on, with a flag."""
    named = value_of(block, MOMENTS)
    if named is None or labels is None:
        return
    named = named if isinstance(named, list) else [named]
    prefixes = [f"_atom_site_moment{sep}{kind}_" for sep in "._" for kind in MOMENT_AXES]
    axes = [value_of(block, tuple(prefix + x for prefix in prefixes)) for x in "xyz"]
    columns = [axis if isinstance(axis, list) else [axis] for axis in axes if axis is not None]
    try:
        sizes = dict(zip(named, np.linalg.norm(np.array(columns, dtype=float), axis=0).tolist()))
    except ValueError:  # unknown moments
        return
    atoms.set_initial_magnetic_moments([sizes.get(label, 0.0) for label in labels])


def _column(block: CIFBlock, name: str) -> list | None:
    value = block.get(name)
    return value if value is None or isinstance(value, list) else [value]


def _element(text: str, is_label: bool, elements: set[str]) -> str:
    """The element of a type symbol or label.

    Labels in capitals may be read in two ways (CA1: calcium or a carbon): the formula decides.
    """
    letters = re.match(r"[A-Za-z]*", text).group()  # type: ignore[union-attr]
    two, single = letters[:2].capitalize(), letters[:1].capitalize()
    readings = [s for s in dict.fromkeys((two, single)) if s in atomic_numbers or s == "D"]
    readings = [s for s in readings if s != "X"]
    if not readings:
        raise StructureError(f"site {text!r} names no element: correct it or delete the site")
    if is_label and len(readings) > 1 and letters[1:2].isupper():
        stated = [s for s in readings if s in elements]
        if len(stated) != 1:
            raise StructureError(
                f"site {text!r} may be {readings[0]} or {readings[1]}: add _atom_site_type_symbol"
            )
        return stated[0]
    return readings[0]


def _stated_formula(block: CIFBlock) -> dict[str, float] | None:
    """Element -> count of _chemical_formula_sum; None where there is none to compare with."""
    text = str(block.get("_chemical_formula_sum", "")).strip("'\" \n")
    parts, rest = COUNTED.findall(text), COUNTED.sub("", text).strip()
    if not parts or rest or any(symbol not in {*atomic_numbers, "D"} for symbol, _ in parts):
        return None
    formula: dict[str, float] = defaultdict(float)
    for symbol, count in parts:
        formula["H" if symbol == "D" else symbol] += float(count or 1)
    return dict(formula)


def _check_expansion(atoms: Atoms, sites: Atoms, operations: Operations) -> None:
    """Raise StructureError unless images of the sites, merged within `SAME_SITE`, are the atoms."""
    orbits: dict[int, np.ndarray] = defaultdict(lambda: np.zeros((0, 3)))  # by species
    for number, point in zip(sites.numbers, sites.get_scaled_positions()):
        for image in operations.rotations @ point + operations.translations:
            steps = (orbits[number] - image) - np.rint(orbits[number] - image)
            if (np.linalg.norm(steps @ atoms.cell.array, axis=1) >= SAME_SITE).all():
                orbits[number] = np.vstack([orbits[number], image])
    numbers = [number for number, orbit in orbits.items() for _ in orbit]
    if sorted(numbers) != sorted(atoms.numbers):
        other = Atoms(numbers).get_chemical_formula() if numbers else "nothing"
        raise StructureError(
            f"two readings disagree: {operations.origin} make {atoms.get_chemical_formula()} of "
            f"its sites, or {other} where sites closer than {SAME_SITE} Å are one. Give "
            "coordinates of special positions with more decimals"
        )


def _check_formula(
    atoms: Atoms, block: CIFBlock, formula: dict[str, float] | None, operations: Operations
) -> None:
    """Raise StructureError if the atoms are not what the file's formula and space group state."""
    made = Counter(atoms.get_chemical_symbols())
    units = value_of(block, ("_cell_formula_units_z",))
    if formula:
        total = sum(formula.values())
        shares = {symbol: count / total for symbol, count in formula.items()}
        wrong = any(
            abs(made[symbol] / len(atoms) - shares.get(symbol, 0.0)) > FORMULA_TOLERANCE
            for symbol in {*made, *shares}
        )
        if isinstance(units, (int, float)):
            # some writers give the formula of the whole cell beside the number of units in it
            whole = units > 0 and all(count % units == 0 for count in formula.values())
            counts = (total * units, total if whole else total * units)
            wrong |= all(abs(len(atoms) - count) > FORMULA_TOLERANCE * count for count in counts)
        if wrong:
            text = " ".join(f"{symbol}{count:g}" for symbol, count in formula.items())
            states = f"{text}, Z = {units}" if units is not None else text
            raise StructureError(
                f"it states the formula {states}, but its sites and {operations.origin} make "
                f"{atoms.get_chemical_formula()}. Correct the formula, the sites or the symmetry"
            )
    group = stated_group(block)
    if not formula and operations.origin.endswith("listed") and group:
        least = 2 if group > 1 else 1
        if len(operations.rotations) < least:
            raise StructureError(
                f"it states space group {group}, but lists the identity only: whether its "
                f"{len(atoms)} sites are all atoms cannot be told. List all operations, state the "
                "group P 1, or add _chemical_formula_sum"
            )


def _same_distances(atoms: Atoms, other: Atoms) -> bool:
    """Whether two crystals of the same cell and elements have the same distances between them."""

    def distances(crystal: Atoms) -> np.ndarray:
        first, second = np.triu_indices(len(crystal), 1)
        steps = crystal.positions[first] - crystal.positions[second]
        lengths = find_mic(steps, crystal.cell, pbc=True)[1]
        pairs = crystal.numbers[first] * crystal.numbers[second]
        return lengths[np.lexsort((lengths, pairs))]

    return bool(np.allclose(distances(atoms), distances(other), atol=SAME_SITE / 10))
