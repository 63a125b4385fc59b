"""What a release states in several places is the same in all of them."""

import re
import tomllib

from places import ROOT

from ase_eqtensor import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_one_version():
    stated = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text("utf-8"), flags=re.M)
    newest = re.search(r"^## (\d\S*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.M)
    assert stated and newest
    assert {PROJECT["version"], stated[1], newest[1]} == {__version__}


def test_classifiers_begin_with_what_is_required():
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={pythons[0]}" and len(pythons) >= 3


def test_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 120
    links = re.findall(r"\]\((?!http)([^)#]+)", text)
    assert len(links) > 15 and all((ROOT / link).is_file() for link in links)


def test_commands_of_ci_are_in_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    for marker in ("predict", "test"):
        (command,) = re.findall(rf"^<!-- {marker} -->\n```bash\n(.+)\n```$", text, flags=re.M)
        assert command.startswith("pip install")
