"""`python -m ase_eqtensor` is the command `eqtensor`."""

from .cli import main

main()
