"""The picture of a report in the README and the documentation, made anew: Chromium, its driver and
selenium have to be there.

python -m studies.report_picture docs/images/report.png
"""

import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ase_eqtensor import EqTensorCalculator, report

SHOWCASE = "mp-2133"  # ZnO: without warnings, and all that is known of it within its bounds
WIDTH, HEIGHT, COLOURS = 1200, 1400, 256
PATIENCE = 300  # s, without a graphics card


def showcase(calculator: EqTensorCalculator):
    """The crystal of the picture."""
    crystals = calculator.model.training_crystals
    return next(c.atoms for c in crystals if c.source_id == SHOWCASE and c.atoms is not None)


def photograph(page: Path, headings: list[str], folder: Path) -> list[Path]:
    """Photographs of a page, each from the heading with this id on."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--use-gl=angle", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
    ):  # fmt: skip
        options.add_argument(argument)
    browser = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    browser.set_script_timeout(PATIENCE)
    try:
        metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(page.resolve().as_uri())
        waiting = "return document.querySelectorAll('.plot:not(.js-plotly-plot)').length"
        while browser.execute_script(waiting):
            time.sleep(0.5)
        shots = []
        for i, heading in enumerate(headings):
            browser.execute_script(f"document.querySelector('{heading}').scrollIntoView()")
            time.sleep(5)  # for the last frames
            shots.append(folder / f"{i}.png")
            browser.save_screenshot(str(shots[-1]))
    finally:
        browser.quit()
    return shots


def main(output: Path) -> None:
    from PIL import Image

    calculator = EqTensorCalculator()
    with TemporaryDirectory() as name:
        page = report(showcase(calculator), Path(name) / "page.html", calculator)
        shots = photograph(page, ["body", "#section-0"], Path(name))
        whole = Image.new("RGB", (WIDTH * len(shots), HEIGHT), "white")
        for i, shot in enumerate(shots):
            whole.paste(Image.open(shot), (WIDTH * i, 0))
    small = whole.resize((whole.width * 2 // 3, whole.height * 2 // 3), Image.Resampling.LANCZOS)
    output.parent.mkdir(parents=True, exist_ok=True)
    few = small.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(output, optimize=True)
    print(f"{output}: {output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
