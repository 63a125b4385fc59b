"""Predictions for the eye: HTML pages that need nothing else, not even a network, and pictures."""

from .plotting import plot
from .write import report

__all__ = ["plot", "report"]
