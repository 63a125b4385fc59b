"""The tables of README and pages are what the card of the default model gives."""

import re

import fill_tables  # docs/fill_tables.py
import pytest
from places import ROOT

PAGES = {page.relative_to(ROOT).as_posix(): page for page in fill_tables.pages()}


@pytest.fixture(scope="module")
def made():
    return fill_tables.tables()


@pytest.mark.parametrize("name", PAGES)
def test_tables_are_those_of_the_card(name, made):
    text = PAGES[name].read_text("utf-8")
    assert fill_tables.filled(text, made) == text, "python docs/fill_tables.py fills them"


def test_every_table_stands_somewhere(made):
    everything = "".join(page.read_text("utf-8") for page in PAGES.values())
    assert {name for name in made if f"<!-- {name} -->" in everything} == made.keys()


def test_filling_replaces_a_table_and_nothing_else():
    page = "a\n\n<!-- x -->\n| old |\n| --- |\n| 1 |\n\nb\n| mine |\n"
    once = fill_tables.filled(page, {"x": "| new |\n"})
    assert once == "a\n\n<!-- x -->\n\n| new |\n\nb\n| mine |\n"
    assert fill_tables.filled(once, {"x": "| new |\n"}) == once
    assert not re.search("old|1", once)
