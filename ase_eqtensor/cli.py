"""The command `eqtensor`; its commands need the extra [train] (`data` alone needs [data])."""

import sys

from .errors import EqTensorError


def main() -> None:
    """Run the command line; errors of the package end with one line and exit code 1."""
    try:
        from ase_eqtensor.train.commands import app

        app()
    except EqTensorError as error:
        sys.exit(f"eqtensor: {error}")
    except ModuleNotFoundError as error:
        sys.exit(f"eqtensor: {error.name} is missing: install ase-eqtensor with its extra [train]")
