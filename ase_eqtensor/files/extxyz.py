"""Extended XYZ without what ASE's writer does to the user's texts.

ASE writes an empty text as nothing, so that it swallows the next key; a line break ends the comment
line; a backslash vanishes; "1" and "T" come back as a number and a truth value. Its reader takes
JSON for any value, in which all of this can be written.
"""

import json
from typing import Any

from ase import Atoms
from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict

_NEXT = {"next": 1}  # a key that a broken value would swallow


def writable(atoms: Atoms) -> Atoms:
    """A copy of the atoms whose info ASE's extended XYZ brings back as it is."""
    copy = atoms.copy()
    copy.info = {key: _encoded(value) for key, value in atoms.info.items()}
    copy.calc = atoms.calc
    return copy


def _encoded(value: Any) -> Any:
    if isinstance(value, str):
        return value if _survives(value) else _json(value)
    if isinstance(value, (dict, list, tuple)):
        try:
            text = _json(value)
        except TypeError:  # arrays and other things, which are ASE's business
            return value
        return text if "\\" in text else value
    return value


def _survives(text: str) -> bool:
    if "\n" in text or "\r" in text or text.startswith("_JSON"):
        return False
    line = key_val_dict_to_str({"key": text} | _NEXT)
    return key_val_str_to_dict(line) == {"key": text} | _NEXT


def _json(value: Any) -> str:
    # the reader takes one level of backslashes away before it reads the JSON
    return "_JSON " + json.dumps(value, ensure_ascii=False).replace("\\", "\\\\")
