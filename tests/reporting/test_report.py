"""`eqtensor report`: what the page says, and how it looks and works in a real browser, offline."""

import json
import re
import shutil
import sys
from html import unescape
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from crystals import CRYSTALS
from places import CIFS
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from typer.testing import CliRunner

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.commands import app
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.errors import (
    DataError,
    ElementError,
    MissingExtraError,
    OutputExistsError,
    StructureError,
)
from ase_eqtensor.reporting.figures import elastic_pictures, structure_picture
from ase_eqtensor.reporting.numbers import fixed, number
from ase_eqtensor.reporting.pattern import tensor_pattern
from ase_eqtensor.reporting.report import write_report
from ase_eqtensor.tensors.directional import youngs_modulus
from ase_eqtensor.tensors.notation import GPA, project_rank2, project_stiffness

PATIENCE = 120  # s for drawing without a graphics card on a busy machine


@pytest.fixture(scope="session")
def calculator():
    return EqTensorCalculator()


@pytest.fixture(scope="session")
def pages(calculator, tmp_path_factory):
    """Pages by crystal system: CaF2 and P2I4 are training crystals, CaWO4 is new."""
    folder = tmp_path_factory.mktemp("pages")
    known = calculator.model.training_crystals
    crystals = {
        "cubic": read(CIFS / "CaF2.cif"),
        "tetragonal": read(CIFS / "CaWO4.cif"),
        "triclinic": next(one.atoms for one in known if one.source_id == "mp-29443"),
    }
    return {
        system: write_report(atoms, folder / f"{system}.html", calculator)
        for system, atoms in crystals.items()
    }


def words(path: Path) -> str:
    """The text of a page, without markup, scripts and styles."""
    text = re.sub(r"<(script|style).*?</\1>", " ", path.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def figure(path: Path, key: str) -> dict:
    """A plotly figure of a page."""
    start = f'Plotly.newPlot("{key}", Object.assign('
    text = path.read_text(encoding="utf-8")
    return json.JSONDecoder().raw_decode(text, text.index(start) + len(start))[0]


# What the page says


def test_numbers_and_their_bounds_are_those_of_the_prediction(pages, calculator):
    prediction = calculator.predictor.predict_one(read(CIFS / "CaWO4.cif"))
    text, known = words(pages["tetragonal"]), prediction.uncertainty["elasticity_tensor"]
    stiffness = prediction.tensors["elasticity_tensor"] / GPA
    for value in (stiffness[0, 0], stiffness[2, 2], stiffness[0, 5]):
        assert fixed(value, 1) in text
    low, high = known.scalars["k_vrh_gpa"].bounds[0.9]
    assert f"{number(known.scalars['k_vrh_gpa'].value)} GPa {number(low)} to {number(high)}" in text
    half, most = (f"{100 * known.relative_error[level]:.0f}" for level in (0.5, 0.9))
    assert f"below {half} % in 50 % of crystals, below {most} % in 90 %" in text
    for expected in (
        "I4 1 /a (no. 88)",
        "C16 = −C26",
        "7 independent by symmetry",
        "Voigt order xx yy zz yz xz xy",
        "(of 1181)",
        calculator.model.sha256,
        calculator.model.level_of_theory["dielectric_tensor"],
        "symprec = 0.01 Å",
    ):
        assert expected in text


def test_training_data_are_told(pages):
    told = {system: words(path) for system, path in pages.items()}
    assert "This structure is in the training data, as mp-2741" in told["cubic"]
    assert "First principles, mp-2741, GPa" in told["cubic"]
    assert "First principles, mp-29443" in told["triclinic"]
    assert "Neither this structure nor its formula is in the training data" in told["tetragonal"]
    assert "First principles," not in told["tetragonal"]


def test_warnings_come_first(pages):
    text = words(pages["triclinic"])
    assert "Unlike training data." in text and "Nothing about this crystal" not in text
    assert text.index("Unlike training data.") < text.index("Unit cell")
    assert "Nothing about this crystal calls for a warning" in words(pages["cubic"])


def test_dielectric_figures_of_a_metal_carry_the_warning(model, tmp_path, pages):
    path = write_report(bulk("Al"), tmp_path / "Al.html", model)
    for key in ("dielectric-tensor", "electronic-dielectric-tensor"):
        (note,) = figure(path, key)["layout"]["annotations"]
        assert "likely metal" in note["text"] and note["y"] == 1
        assert "annotations" not in figure(pages["cubic"], key)["layout"]
    assert "annotations" not in figure(path, "young")["layout"]
    assert "Al is probably a metal" in words(path)


def test_model_without_calibration_and_training_crystals(model, tmp_path):
    text = words(write_report(CRYSTALS["quartz"], tmp_path / "a.html", model))
    assert "No error bounds: this model was never calibrated." in text
    assert "(of " not in text and "Neither this structure nor its formula" in text


def test_refused_properties_have_their_reason_and_no_figure(model, tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.6)  # the small model knows no stiffness of Cl
    path = write_report(atoms, tmp_path / "a.html", model)
    text = words(path)
    assert "elasticity_tensor is not predicted. ClNa: Cl does not occur" in text
    assert "Bulk modulus" not in text and 'newPlot("young"' not in path.read_text("utf-8")
    assert 'newPlot("dielectric-tensor"' in path.read_text("utf-8")


def test_nothing_predicted_is_an_error(calculator, tmp_path):
    with pytest.raises(ElementError, match="does not occur"):
        write_report(bulk("Po", "sc", a=3.35), tmp_path / "a.html", calculator)
    assert not list(tmp_path.iterdir())


# Files, errors, command


def test_existing_page_is_kept_unless_asked(model, tmp_path):
    path = tmp_path / "a.html"
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="a.html exists"):
        write_report(CRYSTALS["rutile"], path, model)
    assert path.read_text() == "mine"
    assert write_report(CRYSTALS["rutile"], path, model, overwrite=True) == path
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match="there is no folder"):
        write_report(CRYSTALS["rutile"], tmp_path / "none" / "a.html", model)


@pytest.mark.parametrize("library", ["jinja2", "plotly"])
def test_missing_library_names_the_extra(library, model, tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.startswith(("ase_eqtensor.reporting.", library))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"{library}.*ase-eqtensor\[report\]"):
        write_report(CRYSTALS["rutile"], tmp_path / "a.html", model)


def test_command(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["report", str(CIFS / "CaF2.cif"), "--model", str(weights)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0 and result.stdout.strip() == "CaF2.html"
    assert (tmp_path / "CaF2.html").is_file()
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1 and isinstance(again.exception, OutputExistsError)
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0
    named = CliRunner().invoke(app, [*arguments, "-o", "other.html"])
    assert named.exit_code == 0 and (tmp_path / "other.html").is_file()
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a none\n")
    broken = CliRunner().invoke(app, ["report", "broken.cif"])
    assert isinstance(broken.exception, StructureError) and not Path("broken.html").exists()
    assert "\n" not in str(broken.exception)


# Symmetry and figures


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("symbol", ["C", "S", "ε"])
def test_pattern_is_that_of_projected_tensors(name, symbol):
    rotations, rng = analyse(CRYSTALS[name]).rotations, np.random.default_rng(0)
    pattern, tensors = tensor_pattern(symbol, rotations), []
    for _ in range(30):
        a = rng.normal(size=(3, 3) if symbol == "ε" else (6, 6))
        project = project_rank2 if symbol == "ε" else project_stiffness
        tensor = project(a @ a.T + np.eye(len(a)), rotations)
        tensors.append(np.linalg.inv(tensor) if symbol == "S" else tensor)
    tensors = np.array(tensors)
    biggest = np.abs(tensors).max(axis=0)
    np.testing.assert_array_equal(biggest < 1e-9, pattern.zero)
    for k in range(len(pattern.equal)):
        own = tensors[:, pattern.group == k]
        ratios = own / own[:, :1]
        np.testing.assert_allclose(ratios, ratios[:1].repeat(30, axis=0), rtol=1e-6)
    if symbol != "S":  # inverses are no linear function
        assert np.linalg.matrix_rank(tensors.reshape(30, -1), tol=1e-6) == pattern.independent


def test_relations_of_hexagonal_and_trigonal_crystals():
    wurtzite = analyse(CRYSTALS["wurtzite"]).rotations
    assert tensor_pattern("C", wurtzite).differences == ("C66 = ½(C11 − C12)",)
    assert tensor_pattern("S", wurtzite).differences == ("S66 = 2(S11 − S12)",)
    quartz = analyse(CRYSTALS["quartz"]).rotations
    assert "S14 = −S24 = ½S56" in tensor_pattern("S", quartz).equal


def test_surfaces_have_the_values_of_their_directions():
    a = np.random.default_rng(3).normal(size=(6, 6))
    stiffness = (a @ a.T + 6 * np.eye(6)) * GPA
    young, shear, squeeze = elastic_pictures(stiffness, np.diag([3.0, 4.0, 5.0]))
    surface = young.figure.data[0]
    points = np.stack([surface.x, surface.y, surface.z], axis=-1)
    expected = youngs_modulus(stiffness / GPA, points)
    np.testing.assert_allclose(surface.surfacecolor, expected, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), expected, rtol=1e-4)
    assert surface.text[0, 0].startswith(f"{number(expected[0, 0])} GPa along")
    least, greatest = shear.figure.data[:2]
    assert (least.visible, greatest.visible) == (True, False)
    assert (np.asarray(least.surfacecolor) <= np.asarray(greatest.surfacecolor)).all()
    assert "1/TPa" in squeeze.title and f"to {number(expected.max())[:2]}" in young.caption


def test_structure_repeats_atoms_on_faces():
    cell, *atoms = structure_picture(CRYSTALS["rocksalt"].repeat(1)).figure.data[:3]
    assert [len(one.x) for one in atoms] == [8, 1]  # corners, centre of the primitive cell
    assert np.isfinite(cell.x).sum() == 24


@pytest.mark.parametrize(
    "value, text",
    [(1234.4, "1230"), (99.96, "100"), (12.345, "12.3"), (-0.0456, "−0.0456"), (0, "0"),
     (np.nan, "–")],
)  # fmt: skip
def test_number(value, text):
    assert number(value) == text


# In a browser

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
    "structure", "young", "shear", "compressibility", "electronic-dielectric-tensor",
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
