"""Fixtures: the default model, and pages of it that the tests of words and of looks share."""

import pytest
from ase.io import read
from browsers import disconnect, started
from places import CIFS

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.reporting import report as write_report


@pytest.fixture(scope="session")
def calculator():
    return EqTensorCalculator()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium without a network."""
    chrome = started(tmp_path_factory.mktemp("profile"))
    yield chrome
    chrome.quit()


@pytest.fixture
def tab(browser):
    """A tab of its own, because tests of one page share another."""
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    disconnect(browser)
    yield browser
    browser.close()
    browser.switch_to.window(first)


@pytest.fixture(scope="session")
def pages(calculator, tmp_path_factory):
    """Pages by crystal system: CaF2 and P2I4 are training crystals, CaWO4 is new."""
    folder = tmp_path_factory.mktemp("pages")
    trained_on = calculator.model.training_crystals
    crystals = {
        "cubic": read(CIFS / "CaF2.cif"),
        "tetragonal": read(CIFS / "CaWO4.cif"),
        "triclinic": next(c.atoms for c in trained_on if c.source_id == "mp-29443"),
    }
    return {
        system: write_report(atoms, folder / f"{system}.html", calculator)
        for system, atoms in crystals.items()
    }
