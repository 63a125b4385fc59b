"""The command `eqtensor`. The training commands need the extra: pip install ase-eqtensor[train]."""

import sys


def main() -> None:
    """Run the command line; errors of the package end with one line and exit code 1."""
    try:
        from ase_eqtensor.train.commands import app
    except ModuleNotFoundError as error:
        sys.exit(f"eqtensor: {error.name} is not installed: pip install 'ase-eqtensor[train]'")
    from ase_eqtensor.errors import EqTensorError

    try:
        app()
    except EqTensorError as error:
        sys.exit(f"eqtensor: {error}")
