"""What the site makes of its pages: the reference of the command line, and equations."""

import re

import pytest
import typer.main

from ase_eqtensor.commands import app

pytest.importorskip("latex2mathml", reason="needs the extra [docs]")
import hooks  # noqa: E402  docs/hooks.py


def test_the_reference_has_every_command_and_option():
    page = hooks.on_page_markdown(f"# Command line\n\n{hooks.PLACE}\n")
    for name, command in typer.main.get_command(app).commands.items():
        _, found, rest = page.partition(f"\n## `eqtensor {name}`\n")
        section = rest.partition("\n## ")[0]
        assert found and command.help.splitlines()[0][:20] in section, name
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option in section, (name, option)
    assert not re.search(r"^Examples?:", page, flags=re.M)
    assert "```bash\neqtensor cite >> thesis.bib\n```" in page


def test_other_pages_stay_as_they_are():
    assert hooks.on_page_markdown("text $x$") == "text $x$"


def test_equations_become_mathml():
    inline = hooks.on_page_content(r'<p><span class="arithmatex">\(a &lt; b_i\)</span> c</p>')
    assert re.fullmatch(r"<p><math [^>]*><mrow>.*</mrow></math> c</p>", inline)
    assert "<msub><mi>b</mi><mi>i</mi></msub>" in inline and 'display="inline"' in inline
    block = hooks.on_page_content('<div class="arithmatex">\\[\nx = 1\n\\]</div>')
    assert 'display="block"' in block and "arithmatex" not in block
