"""The command `eqtensor`; `predict` needs nothing more, `data` the extra [data], `train` and
`evaluate` the extra [train]."""

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
