"""Formulas, symbols and links as HTML."""

import re
from html import escape

from markupsafe import Markup

MATERIALS_PROJECT = "https://materialsproject.org/materials/"


def formula_markup(formula: str) -> Markup:
    """A formula with subscripts, as HTML."""
    return Markup(re.sub(r"(\d+(?:\.\d+)?)", r"<sub>\1</sub>", escape(formula)))


def space_group_markup(symbol: str) -> Markup:
    """A Hermann-Mauguin symbol with subscripts for "_1", as HTML."""
    return Markup(re.sub(r"_(\d)", r"<sub>\1</sub>", escape(symbol)))


def with_subscripts(text: str) -> Markup:
    """A text in which what follows "_" is a subscript, as HTML."""
    return Markup(re.sub(r"_(\w+)", r"<sub>\1</sub>", escape(text)))


def with_links(text: str) -> Markup:
    """A text in which ids of the Materials Project are links to their entries, as HTML."""
    link = rf'<a class="nowrap" href="{MATERIALS_PROJECT}\g<0>">\g<0></a>'
    return Markup(re.sub(r"\b(?:mp|mvc)-\d+\b", link, escape(text)))
