"""The command `eqtensor`, one module for each of its commands.

Libraries of the extras, and training with them, are imported by the functions that need them, so
that `eqtensor predict` starts fast and works without.

Exit codes: 0, all went well; 1, nothing could be done, with one line that says why; 2, wrong
arguments; 3, some crystals failed and the others are there.
"""

import sys

from . import (  # noqa: F401 (they register)
    check,
    cite,
    data,
    evaluate,
    label,
    models,
    partner,
    predict,
    report,
    screen,
    train,
)
from .app import app, with_options

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; errors end with one line and exit code 1, tracebacks need --debug."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        app(args=arguments, prog_name="eqtensor")
    except Exception as error:
        if debug:
            raise
        text = with_options(str(error)) or type(error).__name__
        sys.exit(f"eqtensor: {text} (--debug shows where)")
