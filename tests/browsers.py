"""Headless Chromium for the tests of pages: how it is started, and what is asked of every page."""

import json
import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PATIENCE = 120  # s for drawing without a graphics card on a busy machine
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


def started(profile: Path) -> webdriver.Chrome:
    """Chromium without a network, drawing WebGL in software; skips the test where there is none."""
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
        "--enable-unsafe-swiftshader", f"--user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, Service(driver))
    chrome.set_page_load_timeout(PATIENCE)
    chrome.set_script_timeout(PATIENCE)
    disconnect(chrome)
    return chrome


def disconnect(browser: webdriver.Chrome) -> None:
    """Take the network from the tab that is in front."""
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)


def open_page(browser: webdriver.Chrome, page: Path, width: int) -> None:
    """Forget what was logged, and open a page so many pixels wide."""
    for log in ("browser", "performance"):
        browser.get_log(log)
    resize(browser, width)
    browser.get(page.as_uri())


def resize(browser: webdriver.Chrome, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def check_offline(browser: webdriver.Chrome) -> None:
    """The page has asked for nothing but files, and has not complained."""
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["documentURL"].startswith("file:")  # not the browser's own start page
    ]
    assert [url for url in asked if url.startswith("file:")]  # the log works
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def check_width(browser: webdriver.Chrome, width: int) -> None:
    """Nothing sticks out of the page."""
    needed, wide = browser.execute_script(OUTSIDE, width)
    assert needed <= width and wide == []
