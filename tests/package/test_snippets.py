"""Every Python and bash snippet of README and pages runs as it stands.

The blocks of a page run in order, Python in one namespace, README's in a folder with `examples/`,
those of other pages in `examples/crystals`. A `text` block right after one is what it prints. A
block below the comment <!-- not run: REASON --> is left out, and counted here.
"""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from places import EXAMPLES, ROOT

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?(?:^<!-- \w+ -->\n)?"
    r"^```(?P<language>\w*)\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<printed>.*?)^```$)?",
    flags=re.M | re.S,
)
PAGES = {
    page.relative_to(ROOT).as_posix(): page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if "```" in page.read_text("utf-8")
}
NOT_RUN = {
    "CONTRIBUTING.md": ["installs"],
    "README.md": ["installs"] * 2,
    "docs/bounds.md": ["needs the training data"],
    "docs/class-study-2.md": ["takes minutes to hours"],
    "docs/class-study.md": ["takes minutes to hours"],
    "docs/install.md": ["installs"],
    "docs/partner.md": ["needs a potential", *["needs the training data"] * 2],
    "docs/piezoelectric.md": ["takes minutes to hours"] * 2,
    "docs/screening.md": ["needs a server"],
    "docs/training.md": ["needs a potential"],
    "docs/your-own-data.md": [
        *["needs a network"] * 2,
        "needs a potential",
        *["takes minutes to hours"] * 2,
    ],
}


class Snippet(NamedTuple):
    """A block of a page: its language, code and first line, why it does not run, what it prints."""

    language: str
    code: str
    line: int
    reason: str | None
    printed: str | None


def snippets(text: str) -> list[Snippet]:
    return [
        Snippet(
            found["language"],
            found["code"],
            text.count("\n", 0, found.start("code")),
            found["reason"],
            found["printed"],
        )
        for found in BLOCK.finditer(text)
    ]


def run_python(snippet: Snippet, page: str, namespace: dict) -> str:
    code = compile("\n" * snippet.line + snippet.code, page, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of crystals
        exec(code, namespace)
    return printed.getvalue()


def run_bash(snippet: Snippet, page: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", snippet.code],
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, f"{page}:{snippet.line}\n{snippet.code}\n{result.stderr}"
    return result.stdout


@pytest.mark.parametrize("page", PAGES)
def test_snippets_run(page, tmp_path, monkeypatch):
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir(tmp_path if page == "README.md" else tmp_path / "examples" / "crystals")
    namespace = {"__name__": "__main__"}
    for snippet in snippets(PAGES[page].read_text("utf-8")):
        if snippet.reason:
            continue
        if snippet.language == "python":
            printed = run_python(snippet, page, namespace)
            assert printed or page != "README.md"  # README's prints something
        else:
            printed = run_bash(snippet, page)
        if snippet.printed is not None:
            assert printed.strip() == snippet.printed.strip(), f"{page}:{snippet.line}"


def test_what_is_not_run():
    reasons = {}
    for page, path in PAGES.items():
        found = sorted(s.reason for s in snippets(path.read_text("utf-8")) if s.reason)
        reasons |= {page: found} if found else {}
    assert reasons == NOT_RUN


def test_no_block_escapes():
    """Other languages, blocks within lists and indented commands would not be found."""
    for page, path in PAGES.items():
        text = path.read_text("utf-8")
        found = snippets(text)
        assert {snippet.language for snippet in found} <= {"python", "bash"}, page
        fences = Counter(line.strip()[:3] for line in text.splitlines())["```"]
        assert fences == 2 * sum(1 + (s.printed is not None) for s in found), page
        assert not re.search(r"^    (python|eqtensor|pip|ase) ", text, flags=re.M), page


def test_the_tests_can_fail(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "a\n```python\nx = 1\n```\n\n```python\nprint(x + y)\n```\n\n```text\n2\n```\n"
    first, second = snippets(text)
    assert (first.line, second.printed) == (2, "2\n")
    namespace: dict = {}
    run_python(first, "page", namespace)
    with pytest.raises(NameError, match="y"):
        run_python(second, "page", namespace)
    (bad,) = snippets("```bash\nls none.cif\n```\n")
    with pytest.raises(AssertionError, match="none.cif"):
        run_bash(bad, "page")
