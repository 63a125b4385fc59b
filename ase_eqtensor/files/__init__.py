"""Crystals with their tensors in files, and where many crystals come from."""

from .collections import Collection, Files, Rows, expand, open_collection
from .database import connect, is_address
from .formats import check_output, load, save
from .frozen import freeze, searchable, tensors, tensors_of

__all__ = [
    "Collection",
    "Files",
    "Rows",
    "check_output",
    "connect",
    "expand",
    "freeze",
    "is_address",
    "load",
    "open_collection",
    "save",
    "searchable",
    "tensors",
    "tensors_of",
]
