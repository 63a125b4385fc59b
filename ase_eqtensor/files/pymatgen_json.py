"""Crystals of pymatgen's JSON: structures, and documents that hold one, as the Materials Project
gives them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ase import Atoms

from ..crystal.validation import as_atoms
from ..errors import StructureError

STRUCTURE = "structure"  # under which a document holds its crystal
SIGNS = (b'"lattice"', b'"structure"', b"pymatgen")


def is_pymatgen_json(start: bytes) -> bool:
    """Whether a file that begins so may hold crystals of pymatgen, by what ASE's never has."""
    return start.lstrip()[:1] in (b"{", b"[") and any(sign in start for sign in SIGNS)


def documents(text: str) -> list[Mapping[str, Any]]:
    """The objects of a text of JSON, which are a structure or hold one each; one alone, too.

    Raises StructureError where there are none.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise StructureError(f"it is no JSON, or damaged ({error})") from None
    entries = content if isinstance(content, list) else [content]
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise StructureError("it holds no structures of pymatgen")
    return entries


def structure_of(document: Mapping[str, Any]) -> Atoms:
    """The crystal of an object: itself, or the one that it holds.

    Raises StructureError where there is none, or one that cannot be read.
    """
    from pymatgen.core import Structure  # takes time, and most files need it not

    told = document.get(STRUCTURE, document)
    if not isinstance(told, Mapping) or not {"lattice", "sites"} <= told.keys():
        raise StructureError('there is no "structure" (a pymatgen Structure.as_dict()) in it')
    try:
        structure = Structure.from_dict(dict(told))
    except Exception as error:  # whatever a broken object leads to
        raise StructureError(f"its structure is damaged ({error!r})") from error
    return as_atoms(structure)


def crystals(text: str) -> Iterator[Atoms | StructureError]:
    """Every crystal in a text, or why one cannot be read."""
    for document in documents(text):
        try:
            yield structure_of(document)
        except StructureError as error:
            yield error
