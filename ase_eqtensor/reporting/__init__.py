"""A report on one crystal: a single HTML page that needs nothing else, not even a network."""

from .write import report

__all__ = ["report"]
