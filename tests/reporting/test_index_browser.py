"""The page that lists crystals works in a real browser, offline: it sorts, filters and leads on."""

import pytest
from ase.build import bulk
from ase.io import read
from browsers import PATIENCE, check_offline, check_width, open_page, resize
from places import CIFS
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.errors import StructureError
from ase_eqtensor.reporting.index import Listed
from ase_eqtensor.reporting.write import write_index, write_page

CRYSTALS = {
    "salt": bulk("NaCl", "rocksalt", a=5.6),
    "magnesia": read(CIFS / "MgO.cif"),
    "nitride": read(CIFS / "GaN.cif"),
    "metal": bulk("Al"),
}
SHOWN = (
    "return [...document.querySelectorAll('#crystals tbody tr')].filter(r => !r.hidden)"
    ".map(r => r.cells[0].textContent)"
)


@pytest.fixture(scope="module")
def folder(calculator, tmp_path_factory):
    """The pages of four crystals and their list."""
    folder = tmp_path_factory.mktemp("list")
    listed = []
    for name, atoms in CRYSTALS.items():
        subject = write_page(atoms, folder / f"{name}.html", calculator, index="index.html")
        listed.append(Listed.of(subject, f"in/{name}.cif", folder / f"{name}.html"))
    reason = StructureError("in/x.cif: cannot be read: a word" + "_that_is_long" * 30)
    write_index(folder / "index.html", listed, {"in/x.cif": str(reason)})
    return folder


@pytest.fixture
def opened(tab, folder):
    """A tab with the list."""
    open_page(tab, folder / "index.html", 1200)
    return tab


def press(browser, heading: str) -> None:
    buttons = browser.find_elements(By.CSS_SELECTOR, "#crystals th button")
    next(b for b in buttons if b.text.startswith(heading)).click()


def test_it_opens_offline_and_without_errors(opened):
    assert opened.execute_script(SHOWN) == list(CRYSTALS)
    check_offline(opened)


@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_sticks_out(opened, width):
    resize(opened, width)
    check_width(opened, width)


def test_a_heading_sorts_by_numbers_and_back(opened, calculator):
    predicted = {n: calculator.predictor.predict_one(a) for n, a in CRYSTALS.items()}
    expected = sorted(CRYSTALS, key=lambda name: predicted[name].scalars["k_vrh_gpa"])
    press(opened, "Bulk modulus")
    assert opened.execute_script(SHOWN) == expected
    press(opened, "Bulk modulus")
    assert opened.execute_script(SHOWN) == expected[::-1]
    state = "return [...document.querySelectorAll('#crystals th[aria-sort]')].map(h => h.ariaSort)"
    assert opened.execute_script(state) == ["descending"]
    press(opened, "Formula")
    assert opened.execute_script(SHOWN) == ["metal", "nitride", "magnesia", "salt"]
    assert opened.execute_script(state) == ["ascending"]


def test_what_is_missing_comes_last(opened, model, tmp_path):
    listed = []
    for name in ("salt", "magnesia"):  # the small model knows no stiffness of Cl
        page = tmp_path / f"{name}.html"
        subject = write_page(CRYSTALS[name], page, EqTensorCalculator(model))
        listed.append(Listed.of(subject, name, page))
    write_index(tmp_path / "index.html", listed, {})
    open_page(opened, tmp_path / "index.html", 1200)
    for _ in range(2):
        press(opened, "Bulk modulus")
        assert opened.execute_script(SHOWN) == ["magnesia", "salt"]


def test_text_filters(opened):
    box = opened.find_element(By.ID, "filter")
    count = opened.find_element(By.ID, "count")
    assert count.text == "4 of 4"
    for words, expected in (
        ("metal", ["metal"]),
        ("CUBIC mp-", None),
        ("hexagonal", ["nitride"]),
        ("unheard of", []),
    ):
        box.clear()
        box.send_keys(words)
        shown = opened.execute_script(SHOWN)
        assert shown == expected if expected is not None else 0 < len(shown) < 4
        assert count.text == f"{len(shown)} of 4"


def test_pages_lead_to_the_list_and_back(opened):
    opened.find_element(By.LINK_TEXT, "magnesia").click()
    WebDriverWait(opened, PATIENCE).until(lambda b: b.current_url.endswith("magnesia.html"))
    opened.find_element(By.LINK_TEXT, "All crystals").click()
    WebDriverWait(opened, PATIENCE).until(lambda b: b.current_url.endswith("index.html"))
