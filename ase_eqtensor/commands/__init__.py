"""The command `eqtensor`: one module for each command; those for training are in train/commands.py.

Exit codes: 0, all went well; 1, nothing could be done, with one line that says why; 2, wrong
arguments; 3, some crystals failed and the others are there.
"""

from . import models, predict, report, screen  # noqa: F401 (registers the commands)
from .app import app

__all__ = ["app"]
