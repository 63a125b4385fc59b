"""`python -m ase_eqtensor` is the command `eqtensor`."""

from .commands import main

main()
