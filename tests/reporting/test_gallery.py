"""The gallery, and the picture of a report in the README."""

import re
import sys

import pytest
from browsers import check_offline, check_width, open_page
from places import EXAMPLES, ROOT

from ase_eqtensor.prediction.known import compared
from studies.report_picture import showcase


def test_the_crystal_of_the_picture_is_within_its_bounds(calculator):
    atoms = showcase(calculator)
    prediction = calculator.predictor.predict_one(atoms)
    known = compared(prediction, calculator.seen(atoms))
    assert len(known) >= 2 and prediction.flags == ()
    assert [value.outside for value in known.values()] == [()] * len(known)


def test_the_picture_is_small_and_shown():
    picture = ROOT / "docs" / "images" / "report.png"
    assert picture.read_bytes()[:4] == b"\x89PNG" and picture.stat().st_size < 200_000
    assert "docs/images/report.png" in (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        from gallery import make

        index = make(tmp_path_factory.mktemp("gallery"))
    sys.modules.pop("gallery")
    return index


@pytest.mark.parametrize("width", [1200, 360])
def test_the_gallery_in_a_browser(gallery, tab, width):
    for page in (gallery, gallery.parent / "Al.html"):
        open_page(tab, page, width)
        check_width(tab, width)
        check_offline(tab)


def test_the_gallery_has_a_page_of_each_crystal(gallery):
    text = gallery.read_text("utf-8")
    pages = set(re.findall(r'<a href="([^"]+\.html)"', text))
    assert pages == {path.name for path in gallery.parent.glob("*.html")} - {gallery.name}
    assert {"ZnO.html", "Al.html", "CaWO4.html"} < pages
    assert "likely metal" in text and "Without a page" not in text
    assert all((gallery.parent / page).stat().st_size < 3e6 for page in pages)
