"""Crystals with their tensors in files, and where many crystals come from."""

from .collections import (
    Collection,
    Crystal,
    Files,
    Rows,
    expand,
    open_collection,
)
from .database import connect, is_address
from .formats import check_output, load, save, storable
from .frozen import freeze, kept_as_given, searchable, tensors, tensors_of
from .reading import STANDARD_INPUT, is_folder

__all__ = [
    "STANDARD_INPUT",
    "Collection",
    "Crystal",
    "Files",
    "Rows",
    "check_output",
    "connect",
    "expand",
    "freeze",
    "is_address",
    "is_folder",
    "kept_as_given",
    "load",
    "open_collection",
    "save",
    "searchable",
    "storable",
    "tensors",
    "tensors_of",
]
