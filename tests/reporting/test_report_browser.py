"""How a page of `eqtensor report` looks and works in a real browser, offline."""

import json
import re
import shutil
from itertools import cycle

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 120  # s for drawing without a graphics card on a busy machine
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
OUTSIDE = """
const wide = [];
for (const element of document.body.querySelectorAll("*")) {
  const boxed = element.closest(".scroll") && !element.classList.contains("scroll");
  const hidden = element.closest(".plot") && !element.classList.contains("plot");
  if (!boxed && !hidden && element.getBoundingClientRect().right > arguments[0] + 1)
    wide.push(element.outerHTML.slice(0, 80));
}
return [document.documentElement.scrollWidth, wide];
"""
FIGURES = [
    "structure", "young", "shear", "compressibility", "slowness", "electronic-dielectric-tensor",
    "refractive-index",
    "dielectric-tensor",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium without a network, drawing WebGL in software."""
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("no chromium with chromedriver found: apt-get install chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, Service(driver))
    chrome.set_page_load_timeout(PATIENCE)
    chrome.set_script_timeout(PATIENCE)
    chrome.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    chrome.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session", params=["cubic", "tetragonal", "triclinic"])
def opened(request, browser, pages):
    """The browser with a page on which everything is drawn, 1200 pixels wide."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    resize(browser, 1200)
    browser.get(pages[request.param].as_uri())
    WebDriverWait(browser, PATIENCE).until(lambda b: b.execute_script(DRAWN) == [])
    return browser


def resize(browser, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def test_every_figure_is_drawn_offline_and_without_errors(opened):
    found = opened.execute_script(
        "return Array.from(document.querySelectorAll('.js-plotly-plot'),"
        "plot => [plot.id, plot._fullData.filter(t => t.visible).map(t => t.x.length)])"
    )
    assert [key for key, _ in found] == FIGURES
    assert all(min(lengths) > 0 for _, lengths in found)
    severe = [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["documentURL"].startswith("file:")  # not the browser's own start page
    ]
    assert [url for url in asked if url.startswith("file:")]  # the log works
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_sticks_out_and_text_is_readable(opened, width):
    resize(opened, width)
    fits = (
        "return Array.from(document.querySelectorAll('.plot')).every("
        "plot => plot._fullLayout.width <= arguments[0])"
    )
    WebDriverWait(opened, PATIENCE).until(lambda b: b.execute_script(fits, width))
    needed, wide = opened.execute_script(OUTSIDE, width)
    assert needed <= width and wide == []
    sizes = opened.execute_script(
        "return Array.from(document.querySelectorAll('body, p, td, th, li, dd, figcaption, label'),"
        "element => parseFloat(getComputedStyle(element).fontSize))"
    )
    assert len(sizes) > 50 and min(sizes) >= 14


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
