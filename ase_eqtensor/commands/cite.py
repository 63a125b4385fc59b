"""The command `eqtensor cite`."""

from pathlib import Path

import typer

from .app import app

REFERENCES = Path(__file__).with_name("references.bib")


@app.command()
def cite() -> None:
    """Print BibTeX of the package and of what its models learnt from.

    Example: eqtensor cite >> thesis.bib
    """
    typer.echo(REFERENCES.read_text(encoding="utf-8"), nl=False)
