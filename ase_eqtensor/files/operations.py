"""Symmetry operations of a CIF: those that it lists, or those of the setting that it names."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import spglib
from ase.spacegroup.spacegroup import parse_sitesym

from ..errors import StructureError

# data names of CIF dictionaries, old and new, in lower case as ASE's parser gives them
LISTED = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_symmetry_equiv.pos_as_xyz",
)
MAGNETIC = ("_space_group_symop_magn_operation.xyz", "_space_group_symop_magn_operation_xyz")
CENTERING = ("_space_group_symop_magn_centering.xyz", "_space_group_symop_magn_centering_xyz")
MAGNETIC_GROUP = ("_space_group_magn.number_bns", "_space_group_magn.name_bns",
                  "_space_group_magn_number_bns", "_space_group_magn_name_bns")  # fmt: skip
MODULATED = ("_cell_modulation_dimension", "_space_group_ssg_name", "_space_group.ssg_name")
HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall", "_space_group.name_hall")
SYMBOL = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m",
          "_space_group.name_h-m_alt", "_space_group_name_h-m_ref",
          "_symmetry.space_group_name_h-m", "_space_group_name_h-m_full")  # fmt: skip
NUMBER = ("_space_group_it_number", "_symmetry_int_tables_number", "_space_group.it_number",
          "_symmetry.int_tables_number")  # fmt: skip
CODE = ("_space_group_it_coordinate_system_code", "_space_group.it_coordinate_system_code")
ASE_SETTING = ("_symmetry_space_group_setting",)

METRIC_TOLERANCE = 0.02  # of a squared length; cells in files are rounded
HALL_NUMBERS = range(1, 531)
SUFFIXES = {"z": "2", "s": "1"}  # of origin choices, in the ICSD
ORIGINS = ("1", "2", "h", "r")  # names of settings with the axes of the standard one
E_GROUPS = {"abm2": "aem2", "aba2": "aea2", "cmca": "cmce", "cmma": "cmme", "ccca": "ccce"}


class Operations(NamedTuple):
    """Operations of a space group in fractional coordinates.

    rotations: (G, 3, 3). translations: (G, 3). number: of the space group; 0 where none is known.
    origin: where they come from, for messages.
    """

    rotations: np.ndarray
    translations: np.ndarray
    number: int
    origin: str

    def texts(self) -> list[str]:
        """Each as "-y+0.5,x,z", in the form that ASE reads."""
        return [
            ",".join(
                "".join(f"{'+' if w > 0 else '-'}{x}" for w, x in zip(row, "xyz") if w)
                + f"+{t:.12f}"
                for row, t in zip(rotation, translation % 1.0)
            )
            for rotation, translation in zip(self.rotations, self.translations)
        ]


def value_of(tags: Mapping, names: tuple[str, ...]):
    """The first value of a CIF block that says something; None where there is none."""
    for name in names:
        value = tags.get(name)
        if isinstance(value, list) and value:
            return value
        if value is not None and not isinstance(value, list) and str(value) not in ("?", ".", ""):
            return value
    return None


def operations_of(tags: Mapping, cell: np.ndarray) -> list[Operations]:
    """The operations that a block of a CIF gives its sites, or the candidates for them.

    Args:
        tags: lower-case data names -> values.
        cell: (3, 3) lattice vectors in Å.

    Returns:
        One entry, or several where the file names a space group but not its origin or cell choice.

    Raises:
        StructureError: operations that cannot be read or honoured, a symbol that is not known, or
            operations that the cell contradicts.
    """
    if value_of(tags, MODULATED) not in (None, 0, "0"):
        raise StructureError(
            "a modulated structure has no unit cell: give a commensurate approximant"
        )
    listed = value_of(tags, MAGNETIC)
    magnetic = listed is not None
    if magnetic:
        rotations, translations = _with_centering(_parse(listed), value_of(tags, CENTERING))
    elif (listed := value_of(tags, LISTED)) is not None:
        rotations, translations = _parse(listed)
    elif (group := value_of(tags, MAGNETIC_GROUP)) is not None:
        raise StructureError(
            f"it names the magnetic group {group} and lists no operations: add the loop of "
            f"{MAGNETIC[0]}, or write the crystal without moments as an ordinary CIF"
        )
    else:
        return _of_named_group(tags, cell)
    given = Operations(
        rotations, translations, _number(tags), f"{len(rotations)} operations listed"
    )
    if not _fits(given, cell):
        raise StructureError(
            f"the {given.origin} do not leave its cell "
            f"(metric {np.round(cell @ cell.T, 3).tolist()} Å^2) as it is: one of them is wrong"
        )
    return [given]


def stated_group(tags: Mapping) -> int:
    """Number of the space group that the file states, by number or symbol; 0 where it does not."""
    number = _number(tags)
    if number:
        return number
    symbol = value_of(tags, SYMBOL)
    numbers = {_type(h).number for h in _named(str(symbol))[0]} if symbol is not None else set()
    return numbers.pop() if len(numbers) == 1 else 0


def _number(tags: Mapping) -> int:
    value = value_of(tags, NUMBER)
    try:
        return int(value) if value is not None else 0
    except (TypeError, ValueError):
        return 0


def _parse(listed) -> tuple[np.ndarray, np.ndarray]:
    texts = listed if isinstance(listed, list) else [listed]
    texts = [str(text).strip().strip("'\"").replace(" ", "").lower() for text in texts]
    for text in texts:
        parts = text.split(",")
        # the fourth part is the time reversal of magnetic operations
        if len(parts) not in (3, 4) or not all(re.fullmatch(r"[-+xyz0-9./]+", p) for p in parts):
            raise StructureError(f"the symmetry operation {text!r} is none such as -y+1/2,x,z")
    rotations, translations = parse_sitesym([",".join(t.split(",")[:3]) for t in texts])
    if not np.isin(np.rint(np.linalg.det(rotations)), (-1, 1)).all():
        raise StructureError("a listed symmetry operation is no rotation or reflection")
    return rotations, translations


def _with_centering(point: tuple, listed) -> tuple[np.ndarray, np.ndarray]:
    rotations, translations = point
    if listed is None:
        return point
    shifts = _parse(listed)[1]
    return (
        np.concatenate([rotations] * len(shifts)),
        np.concatenate([translations + shift for shift in shifts]),
    )


def _of_named_group(tags: Mapping, cell: np.ndarray) -> list[Operations]:
    """Candidates by Hall symbol, Hermann-Mauguin symbol or number, compatible with the cell."""
    hall, symbol, number = value_of(tags, HALL), value_of(tags, SYMBOL), _number(tags)
    if hall is None and symbol is None and not number:
        return [Operations(np.eye(3, dtype=int)[None], np.zeros((1, 3)), 1, "no space group")]
    numbers, suffix = [], ""
    if hall is not None:
        numbers = [h for h in HALL_NUMBERS if _plain(_type(h).hall_symbol) == _plain(str(hall))]
    if not numbers and symbol is not None:
        numbers, suffix = _named(str(symbol))
        if not numbers:
            raise StructureError(
                f"the space group symbol {symbol!r} is not known, and no operations are listed: "
                "write it as in the International Tables, such as 'P 1 21/n 1', or list them"
            )
    elif not numbers:
        numbers = [h for h in HALL_NUMBERS if _type(h).number == number]
        settings = [h for h in numbers if _type(h).choice.lower() in ORIGINS]
        numbers = settings or numbers[:1]  # a number alone stands for the standard setting
    named = [h for h in numbers if not number or _type(h).number == number]
    if not named:
        others = sorted({_type(h).number for h in numbers})
        raise StructureError(
            f"its space group number is {number}, but its symbol {symbol!r} is that of number "
            f"{others}: correct one of them"
        )
    choice = suffix or str(value_of(tags, CODE) or value_of(tags, ASE_SETTING) or "").lower()
    chosen = [h for h in named if choice and _is_choice(h, choice)]
    if suffix and not chosen and len(named) > 1:
        settings = [_type(h).choice for h in named]
        raise StructureError(f"the space group {symbol} has no setting {suffix!r}, only {settings}")
    candidates = [_of_hall(h) for h in chosen or named]
    fitting = [operations for operations in candidates if _fits(operations, cell)]
    if not fitting:
        raise StructureError(
            f"its cell is none of {candidates[0].origin}: correct cell or symbol, or list the "
            "symmetry operations"
        )
    if symbol is not None and _plain(str(symbol)) in _unique_axes():
        return fitting[:1]  # the unique axis is b, unless the cell says otherwise
    return fitting


def _is_choice(hall_number: int, choice: str) -> bool:
    """Whether a setting has this name; 1 and 2 also stand for those of permuted axes."""
    name = _type(hall_number).choice.lower()
    return name == choice or (choice in ("1", "2") and name[:1] == choice)


def _of_hall(hall_number: int) -> Operations:
    operations, group = spglib.get_symmetry_from_database(hall_number), _type(hall_number)
    assert operations is not None  # there are no other numbers than those of `HALL_NUMBERS`
    choice = f":{group.choice}" if group.choice else ""
    origin = f"{group.international_full}{choice}"
    return Operations(operations["rotations"], operations["translations"], group.number, origin)


def _fits(operations: Operations, cell: np.ndarray) -> bool:
    """Whether the operations leave the lengths and angles of the cell as they are."""
    metric = cell @ cell.T
    change = np.swapaxes(operations.rotations, 1, 2) @ metric @ operations.rotations - metric
    scale = np.sqrt(np.outer(metric.diagonal(), metric.diagonal()))
    return bool((abs(change) < METRIC_TOLERANCE * scale).all())


def _named(symbol: str) -> tuple[list[int], str]:
    """Hall numbers of a Hermann-Mauguin symbol, and the setting that its suffix names."""
    text, _, choice = symbol.partition(":")
    words = text.split()
    if not choice and len(words) > 1 and words[-1].lower() in ("z", "s", "h", "r"):
        text, choice = " ".join(words[:-1]), words[-1]
    choice = choice.strip().lower()
    plain = _plain(text)
    # older tables write Fd3m for Fd-3m, and Abm2 for Aem2
    spellings = (plain, E_GROUPS.get(plain, ""), plain.replace("3", "-3", 1))
    halls = next((_symbols()[name] for name in spellings if name in _symbols()), [])
    return list(halls), SUFFIXES.get(choice, choice)


@cache
def _symbols() -> dict[str, list[int]]:
    """Symbol without blanks -> Hall numbers: full symbols name a setting, short ones the standard
    one with all its origin choices."""
    full: dict[str, list[int]] = defaultdict(list)
    short: dict[str, list[int]] = defaultdict(list)
    for hall in HALL_NUMBERS:
        group = _type(hall)
        for text in (group.international_full, *group.international.split("=")[1:]):
            if hall not in full[_plain(text)]:
                full[_plain(text)].append(hall)
        for name in {_plain(group.international_short), _plain(group.international.split("=")[0])}:
            short[name].append(hall)
    full |= {name: halls for name, halls in _unique_axes().items() if name not in full}
    for name, halls in short.items():
        if name not in full:
            choices = [_type(hall).choice.lower() for hall in halls]
            origins = [h for h, choice in zip(halls, choices) if choice in ORIGINS]
            full[name] = origins if choices[0] in ORIGINS else halls[:1]
    return dict(full)


@cache
def _unique_axes() -> dict[str, list[int]]:
    """Short symbols of monoclinic groups in all cell choices (P21/n, I2/a) -> Hall numbers, those
    with the unique axis b first."""
    symbols: dict[str, list[int]] = defaultdict(list)
    monoclinic = [h for h in HALL_NUMBERS if 3 <= _type(h).number <= 15]
    for hall in sorted(monoclinic, key=lambda h: "bca".index(_type(h).choice.strip("-")[0])):
        lattice, *axes = _type(hall).international_full.split()
        symbols[_plain(lattice + next(axis for axis in axes if axis != "1"))].append(hall)
    return dict(symbols)


@cache
def _type(hall_number: int):
    return spglib.get_spacegroup_type(hall_number)


def _plain(symbol: str) -> str:
    return re.sub(r"[\s_'\"()]", "", symbol).lower()
