"""Crystals with their tensors in files, and where many crystals come from."""

from .collections import Collection, Files, Rows, open_collection
from .store import freeze, load, save, scalars, tensors

__all__ = [
    "Collection",
    "Files",
    "Rows",
    "freeze",
    "load",
    "open_collection",
    "save",
    "scalars",
    "tensors",
]
