"""Entry point of the command `eqtensor`, also `python -m ase_eqtensor`."""

import sys


def main() -> None:
    """Run the command line; errors end with one line and exit code 1, tracebacks need --debug."""
    from ase_eqtensor.train.commands import app

    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        app(args=arguments, prog_name="eqtensor")
    except Exception as error:
        if debug:
            raise
        text = str(error) or type(error).__name__
        sys.exit(f"eqtensor: {text} (--debug shows where)")
