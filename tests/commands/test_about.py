"""What the command line says of itself."""

import re

from typer.testing import CliRunner

from ase_eqtensor import __version__, load_model
from ase_eqtensor.commands import app
from ase_eqtensor.models.store import DEFAULT_MODEL


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_version():
    assert run("--version").strip() == f"ase-eqtensor {__version__}, model {DEFAULT_MODEL}"


def test_cite_names_every_paper_of_the_card():
    text = run("cite")
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"^@\w+\{\w+,$", text, re.MULTILINE)) == text.count("title = ")
    for entry in load_model().card.data_citation:
        if found := re.search(r"(\d+), (\d+) \((\d{4})\)", entry):
            assert all(f"{{{number}}}" in text for number in found.groups()), entry


def test_completion_is_offered():
    assert "--install-completion" in run("--help")
