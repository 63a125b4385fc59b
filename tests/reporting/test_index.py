"""Several reports: the page that lists them, the files they are written to, and what is read."""

import re
from html import unescape
from pathlib import Path

import pytest
from ase.build import bulk, molecule
from ase.io import write
from places import CIFS
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.commands import app
from ase_eqtensor.errors import DataError, OutputExistsError
from ase_eqtensor.quantities.numbers import number, span
from ase_eqtensor.reporting.index import Listed, render_index
from ase_eqtensor.reporting.subject import Subject

MGO = CIFS / "MgO.cif"


@pytest.fixture
def run(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def report(*arguments, **options):
        command = ["report", *map(str, arguments), "--model", str(weights)]
        return CliRunner().invoke(app, command, **options)

    return report


def cells(page: str) -> list[list[str]]:
    """The text of the cells of the list, row by row."""
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    rows = (re.findall(r"<t[hd].*?</t[hd]>", row, re.S) for row in body.split("</tr>"))
    return [[unescape(re.sub(r"<[^>]+>", " ", c)).split() for c in row] for row in rows if row]


def test_the_list_has_numbers_bounds_flags_and_training_data(calculator):
    crystals = {"cu": bulk("Al"), "mgo": bulk("MgO", "rocksalt", a=4.21)}
    listed = [
        Listed.of(Subject.of(atoms, calculator), f"in/{name}.cif", Path(f"{name}.html"))
        for name, atoms in crystals.items()
    ]
    page = render_index(listed, {"in/x.cif": "in/x.cif: cannot be read"})
    metal, oxide = cells(page)
    prediction = calculator.predictor.predict_one(crystals["mgo"])
    for name in ("k_vrh_gpa", "eps_total"):
        value, ends = prediction.scalars[name], prediction.interval(name)
        assert [number(value), *span(ends).split()] in oxide
    assert metal[2] == ["likely", "metal"] and oxide[2] == []
    assert oxide[-1] == ["mp-1265"] and oxide[1] == ["MgO"] and oxide[3][-1] == "cubic"
    assert 'href="https://materialsproject.org/materials/mp-1265"' in page
    assert 'href="mgo.html" title="in/mgo.cif"' in page and "in/x.cif: cannot be read" in page
    assert "longitudinal" not in page  # zero in both by symmetry
    assert "measurement" not in page


def test_what_is_refused_is_said(model):
    salt = bulk("NaCl", "rocksalt", a=5.6)  # the small model knows no stiffness of Cl
    listed = Listed.of(Subject.of(salt, EqTensorCalculator(model)), "a.cif", Path("a.html"))
    page = render_index([listed], {})
    assert "no stiffness and compliance" in page and "<h1>1 crystal</h1>" in page


def test_pages_and_their_list_lead_to_each_other(run, tmp_path):
    done = run(MGO, CIFS / "GaN.cif", "-o", "pages")
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == "pages/index.html"
    index = (tmp_path / "pages" / "index.html").read_text("utf-8")
    for name in ("MgO", "GaN"):
        assert f'href="{name}.html"' in index
        assert '<a href="index.html">' in (tmp_path / "pages" / f"{name}.html").read_text("utf-8")
    assert run(MGO, "-o", "alone.html").exit_code == 0
    assert "All crystals" not in (tmp_path / "alone.html").read_text("utf-8")


def test_an_index_of_the_users_is_kept(run, tmp_path):
    (tmp_path / "index.html").write_text("mine")
    refused = run(MGO, CIFS / "GaN.cif")
    assert isinstance(refused.exception, OutputExistsError)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "mine"
    assert run(MGO, CIFS / "GaN.cif", "--overwrite").exit_code == 0
    assert "2 crystals" in (tmp_path / "index.html").read_text("utf-8")


def test_a_folder_with_its_subfolders_is_read(run, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / "calc" / folder).mkdir(parents=True)
        write(tmp_path / "calc" / folder / "POSCAR", bulk("MgO", "rocksalt", a=4.2), format="vasp")
    (tmp_path / "calc" / "notes.txt").write_text("no crystal")
    (tmp_path / "calc" / ".hidden.cif").write_text("no crystal")
    write(tmp_path / "calc" / "water.xyz", molecule("H2O"))
    done = run("calc", "-o", "pages")
    assert done.exit_code == 3 and "skipped 1 file" in done.stderr
    assert "calc/water.xyz: H2O: periodic along no direction" in done.stderr
    assert "calc/notes.txt" in done.stderr and ".hidden" not in done.stderr
    names = sorted(p.name for p in (tmp_path / "pages").iterdir())
    assert names == ["a-POSCAR.html", "b-POSCAR.html", "index.html"]
    page = (tmp_path / "pages" / "index.html").read_text("utf-8")
    assert "calc/water.xyz: H2O" in page and "notes.txt" not in page


def test_a_folder_with_one_crystal_makes_a_folder(run, tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.cif", bulk("MgO", "rocksalt", a=4.2))
    assert run("in", "-o", "out").exit_code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.html", "index.html"]
    (tmp_path / "none").mkdir()
    assert "there is no file in this folder" in str(run("none").exception)


def test_standard_input(run, tmp_path):
    done = run("-", input=MGO.read_bytes())
    assert done.exit_code == 0 and done.stdout.strip() == "stdin.html"
    both = run("-", CIFS / "GaN.cif", "-o", "p", "--workers", "2", input=MGO.read_bytes())
    assert both.exit_code == 0, both.output
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == [
        "GaN.html", "index.html", "stdin.html",
    ]  # fmt: skip


def test_names_that_would_clash_are_errors(run, tmp_path):
    for name in ("x.cif", "x.vasp", "index.cif"):
        write(tmp_path / name, bulk("MgO", "rocksalt", a=4.2))
    for files, text in (("x.cif", "x.vasp"), "rename one file"), (("x.cif", "index.cif"), "lists"):
        clash = run(*files)
        assert isinstance(clash.exception, DataError) and text in str(clash.exception)


def test_without_any_page_there_is_no_list(run, tmp_path):
    for name in ("a.cif", "b.cif"):
        (tmp_path / name).write_text("data_x\n_cell_length_a none\n")
    assert run("a.cif", "b.cif", "-o", "out").exit_code == 1
    assert list((tmp_path / "out").iterdir()) == []
