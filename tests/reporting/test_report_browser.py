"""How a page of `eqtensor report` looks and works in a real browser, offline."""

import csv
import json
import re
from itertools import cycle

import pytest
from browsers import PATIENCE, check_offline, check_width, open_page, resize
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

DRAWN = """
const blank = [];
for (const plot of document.querySelectorAll(".plot")) {
  const colours = new Set();
  for (const canvas of plot.querySelectorAll("canvas")) {
    const copy = document.createElement("canvas");
    copy.width = copy.height = 64;
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0, 64, 64);
    new Uint32Array(context.getImageData(0, 0, 64, 64).data.buffer).forEach(c => colours.add(c));
  }
  if (!plot.classList.contains("js-plotly-plot") || colours.size < 10) blank.push(plot.id);
}
return blank;
"""
FIGURES = [
    "structure", "young", "shear", "compressibility", "slowness", "electronic-dielectric-tensor",
    "refractive-index",
    "dielectric-tensor",
]  # fmt: skip


@pytest.fixture(scope="session", params=["cubic", "tetragonal", "triclinic"])
def opened(request, browser, pages):
    """The browser with a page on which everything is drawn, 1200 pixels wide."""
    open_page(browser, pages[request.param], 1200)
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(DRAWN) == [])
    return browser


def test_every_figure_is_drawn_offline_and_without_errors(opened):
    found = opened.execute_script(
        "return Array.from(document.querySelectorAll('.js-plotly-plot'),"
        "plot => [plot.id, plot._fullData.filter(t => t.visible).map(t => t.x.length)])"
    )
    assert [key for key, _ in found] == FIGURES
    assert all(min(lengths) > 0 for _, lengths in found)
    check_offline(opened)


@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_sticks_out_and_text_is_readable(opened, width):
    resize(opened, width)
    fits = (
        "return Array.from(document.querySelectorAll('.plot')).every("
        "plot => plot._fullLayout.width <= arguments[0])"
    )
    WebDriverWait(opened, PATIENCE).until(lambda b: b.execute_script(fits, width))
    check_width(opened, width)
    sizes = opened.execute_script(
        "return Array.from(document.querySelectorAll('body, p, td, th, li, dd, figcaption, label'),"
        "element => parseFloat(getComputedStyle(element).fontSize))"
    )
    assert len(sizes) > 50 and min(sizes) >= 14


def test_numbers_are_saved_by_links(opened):
    files = opened.execute_async_script(
        "const done = arguments[0], links = [...document.querySelectorAll('#downloads a')];"
        "Promise.all(links.map(async a => [a.download, await (await fetch(a.href)).text()]))"
        ".then(done)"
    )
    assert [name.rpartition(".")[2] for name, _ in files] == ["json", "csv", "csv"]
    assert {"tensors", "scalars", "cell_angstrom", "model"} < json.loads(files[0][1]).keys()
    for _, text in files[1:]:
        lines = list(csv.DictReader(text.splitlines()))
        assert len(lines) > 10 and all(None not in line.values() for line in lines)


def test_a_page_works_for_people_who_cannot_see_it(opened):
    unnamed = opened.execute_script(
        "return [...document.querySelectorAll('section, .scroll, figure, .plot')].filter("
        "e => !(e.getAttribute('aria-label') || document.getElementById("
        "e.getAttribute('aria-labelledby'))?.textContent)).map(e => e.outerHTML.slice(0, 80))"
    )
    assert unnamed == []
    levels = [
        int(e.tag_name[1]) for e in opened.find_elements(By.CSS_SELECTOR, "main h2, main h3, h1")
    ]
    assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:]))
    assert opened.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"
    identifiers = opened.execute_script("return [...document.querySelectorAll('[id]')].filter("
        "e => !e.closest('.plot') || e.matches('.plot')).map(e => e.id)")  # fmt: skip
    assert len(identifiers) == len(set(identifiers))


def test_the_shear_modulus_can_be_chosen(opened):
    least, greatest = opened.find_elements(By.CSS_SELECTOR, "fieldset[data-plot=shear] input")
    shown = "return document.getElementById('shear').data.slice(0, 2).map(t => t.visible)"
    assert opened.execute_script(shown) == [True, False]
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", greatest)
    greatest.click()
    WebDriverWait(opened, PATIENCE).until(lambda b: b.execute_script(shown) == [False, True])
    least.click()
    WebDriverWait(opened, PATIENCE).until(lambda b: b.execute_script(shown) == [True, False])


def test_pointing_at_a_surface_tells_its_value(opened):
    resize(opened, 1200)
    plot = opened.find_element(By.ID, "young")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    offsets = cycle((-6, 0, 6))

    def hovered(browser):
        """Point, and leave plotly the time to draw before the next attempt."""
        step = next(offsets)
        ActionChains(browser).move_to_element_with_offset(plot, step, step).pause(1).perform()
        return "".join(e.text for e in plot.find_elements(By.CSS_SELECTOR, ".hovertext"))

    assert re.match(
        r"[\d.]+ GPa along\(.*, .*, .*\)", WebDriverWait(opened, PATIENCE).until(hovered)
    )
