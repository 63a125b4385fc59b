"""What the site makes of its pages when it is built: the command line's reference, equations.

Equations, $...$ and $$...$$, become MathML, which browsers draw without a script, so that the pages
work offline.
"""

import html
import re
import subprocess
import sys

from latex2mathml.converter import convert

PLACE = "<!-- commands -->"  # of the reference in docs/cli.md
EXAMPLES = re.compile(r"^Examples?: ((?:.+\n)+)", flags=re.M)
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.S)


def on_page_markdown(markdown: str, **_) -> str:
    """The reference, made of the commands themselves by typer, in its place."""
    return markdown.replace(PLACE, commands()) if PLACE in markdown else markdown


def commands() -> str:
    """Markdown of all commands of `eqtensor`, their examples as blocks."""
    make = [sys.executable, "-m", "typer", "ase_eqtensor.commands", "utils", "docs"]
    made = subprocess.run([*make, "--name", "eqtensor"], check=True, capture_output=True, text=True)
    body = made.stdout.partition("\n")[2]  # the page has a title
    return EXAMPLES.sub(_block, body)


def _block(found: re.Match) -> str:
    lines = html.unescape(found[1]).strip().replace("\n--", " --")
    return f"**Example**:\n\n```bash\n{lines}\n```\n"


def on_page_content(content: str, **_) -> str:
    """MathML in place of LaTeX."""
    return EQUATION.sub(_mathml, content)


def _mathml(found: re.Match) -> str:
    display = "block" if found[1] == "div" else "inline"
    return convert(html.unescape(found[2]), display=display)
