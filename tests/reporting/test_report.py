"""`eqtensor report`: what the page says, the files it is written to, and the command."""

import csv
import gzip
import json
import re
import sys
import warnings
from base64 import b64decode
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from crystals import CRYSTALS
from places import CIFS
from typer.testing import CliRunner

from ase_eqtensor.analysis import greatest_d, sound_waves
from ase_eqtensor.calculator import EqTensorCalculator
from ase_eqtensor.commands import app
from ase_eqtensor.errors import (
    DataError,
    ElementError,
    MissingExtraError,
    OutputExistsError,
    StructureError,
)
from ase_eqtensor.quantities.numbers import fixed, number, span
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.reporting import report as write_report
from ase_eqtensor.reporting.words import cautions, readable
from ase_eqtensor.tensors.notation import GPA


def words(path: Path) -> str:
    """The text of a page, without markup, scripts and styles."""
    text = re.sub(r"<(script|style).*?</\1>", " ", path.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"<[^>]+>", " ", re.sub(r"</?(a|sub)\b[^>]*>", "", text))
    return re.sub(r"\s+", " ", unescape(text))


def figures(path: Path) -> dict:
    """The plotly figures of a page by their keys."""
    packed = re.search('id="figures">(.*?)</script>', path.read_text(encoding="utf-8"))[1]
    return json.loads(gzip.decompress(b64decode(packed)))


def downloads(path: Path) -> list[str]:
    """The files that a page offers."""
    link = r'download="[^"]+" href="data:[^,]+;base64,([^"]+)"'
    return [b64decode(text).decode() for text in re.findall(link, path.read_text("utf-8"))]


# What the page says


def test_how_well_bounds_hold_for_crystals_of_its_kind(pages, calculator):
    checked = calculator.model.card.calibration["dielectric_tensor"]["relative_error"]
    share, number_of = checked["by_class"]["oxides"]["0.9"], checked["crystals"]["oxides"]
    text = words(pages["tetragonal"])
    assert "Crystals like this one (oxides), none of which the networks had seen" in text
    assert f"{100 * share:.0f} % of {number_of} (total permittivity)" in text
    assert "measurement at room temperature" not in text


def test_measured_values_are_called_so(tmp_path):
    path = write_report(
        read(CIFS / "MgO.cif"), tmp_path / "a.html", EqTensorCalculator(level="measured")
    )
    assert "those that a measurement at room temperature would find" in words(path)


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
        "I41/a (no. 88)",
        "C16 = −C26",
        "7 independent by symmetry",
        "Voigt order xx yy zz yz xz xy",
        "(of 1181)",
        calculator.model.sha256,
        calculator.model.level_of_theory["dielectric_tensor"],
        "tolerance of 0.01 Å",
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
        (note,) = figures(path)[key]["layout"]["annotations"]
        assert "likely metal" in note["text"] and note["y"] == 1
        assert "annotations" not in figures(pages["cubic"])[key]["layout"]
    assert "annotations" not in figures(path)["young"]["layout"]
    assert "Al is probably a metal" in words(path)


def test_model_without_calibration_and_training_crystals(model, tmp_path):
    text = words(write_report(CRYSTALS["quartz"], tmp_path / "a.html", model))
    assert "No error bounds: this model was never calibrated." in text
    assert "(of " not in text and "Neither this structure nor its formula" in text


def test_refused_properties_have_their_reason_and_no_figure(model, tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.6)  # the small model knows no stiffness of Cl
    path = write_report(atoms, tmp_path / "a.html", model)
    text = words(path)
    assert "Stiffness and compliance are not predicted. NaCl: Cl does not occur" in text
    assert text.count("Cl does not occur in the training data of stiffness and compliance") == 1
    assert "Bulk modulus" not in text and "young" not in figures(path)
    assert "dielectric-tensor" in figures(path)


def test_nothing_predicted_is_an_error(calculator, tmp_path):
    with pytest.raises(ElementError, match="does not occur"):
        write_report(bulk("Po", "sc", a=3.35), tmp_path / "a.html", calculator)
    assert not list(tmp_path.iterdir())


def test_sentences_have_words_for_names(calculator, model, tmp_path):
    slab = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    slab.center(vacuum=6, axis=2)
    iron = bulk("Fe")
    iron.set_initial_magnetic_moments([2.2])
    silicon = bulk("Si")
    silicon.positions[0] += 0.008
    plutonia = bulk("PuO", "rocksalt", a=4.96)
    cases = [
        (slab, calculator),
        (iron, calculator),
        (silicon, calculator),
        (plutonia, calculator),
        (plutonia, EqTensorCalculator(allow_untrained_elements=True)),
        (read(CIFS / "CaF2.cif"), EqTensorCalculator(prefer_known=True)),
        (bulk("NaCl", "rocksalt", a=5.6), EqTensorCalculator(model)),
    ]
    for i, (atoms, used) in enumerate(cases):
        text = words(write_report(atoms, tmp_path / f"{i}.html", used))
        assert re.findall(r"\S*(?:\w_\w|`|\w=\w)\S*", text) == []
        told = cautions(used.predictor.predict_one(atoms))
        assert [text.count(caution.text) for caution in told] == [1] * len(told)
        assert len({caution.heading for caution in told}) == len(told)


def test_messages_become_sentences():
    message = "X: its elasticity_tensor, compliance_tensor and dielectric_tensor; symprec = 0.1 Å"
    assert readable(message) == (
        "X: its stiffness and compliance and total permittivity; a tolerance of 0.1 Å."
    )
    assert readable("electronic_dielectric_tensor (-8 GPa).") == "electronic permittivity (−8 GPa)."


def test_numbers_can_be_saved(pages, calculator):
    atoms = read(CIFS / "CaWO4.cif")
    prediction = calculator.predictor.predict_one(atoms)
    everything, tensors, numbers = downloads(pages["tetragonal"])
    content = json.loads(everything)
    stiffness = content["tensors"][STIFFNESS.name]
    assert stiffness["unit"] == "GPa"
    np.testing.assert_allclose(
        stiffness["values"], prediction.tensors[STIFFNESS.name] / GPA, rtol=1e-5, atol=1e-4
    )
    assert content["scalars"]["poisson"]["low_90"] is None
    low, high = prediction.interval("k_vrh_gpa")
    told = content["scalars"]["k_vrh_gpa"]
    assert (told["low_90"], told["high_90"]) == pytest.approx((low, high), rel=1e-5)
    np.testing.assert_allclose(content["positions_angstrom"], atoms.positions, atol=1e-4)
    entries = list(csv.DictReader(tensors.splitlines()))
    assert len(entries) == 36 + 36 + 9 + 9 + 18
    first = entries[0]
    assert (first["tensor"], first["unit"], first["row"]) == (STIFFNESS.name, "GPa", "1 xx")
    assert float(first["value"]) == pytest.approx(stiffness["values"][0][0], rel=1e-5)
    (bulk_modulus,) = (r for r in csv.DictReader(numbers.splitlines()) if r["name"] == "k_vrh_gpa")
    assert float(bulk_modulus["value"]) == pytest.approx(prediction.scalars["k_vrh_gpa"], rel=1e-5)


def test_what_follows_from_the_tensors(pages, calculator, tmp_path):
    text = words(pages["tetragonal"])
    assert re.search(r"Optic character uniaxial, \w+ Optic axis \(0, 0, 1\)", text)
    assert "Phase velocity of sound, km/s" in text and "Electromechanics" not in text
    assert "Optic character isotropic" in words(pages["cubic"])
    assert "Angle 2V between them" in words(pages["triclinic"])
    atoms = read(CIFS / "GaN.cif")
    text = words(write_report(atoms, tmp_path / "a.html", calculator))
    (prediction,) = calculator.predict([atoms])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        d = greatest_d(prediction)
    assert f"Greatest longitudinal d {number(d.value)} pm/V {span(d.bounds[0.9])}" in text
    assert "Coupling factor k33" in text and "Zener" not in text
    fast = sound_waves(prediction.tensors[STIFFNESS.name], atoms, np.eye(3)).phase[2]
    assert f"along z {' '.join(map(number, fast))}" in text


def test_rounding_noise_is_no_birefringence(pages):
    assert "Birefringence 0 " in words(pages["cubic"])


def test_known_crystals_have_links(pages):
    link = 'href="https://materialsproject.org/materials/mp-2741"'
    assert link in pages["cubic"].read_text("utf-8")


def test_a_page_is_small(pages):
    assert max(page.stat().st_size for page in pages.values()) < 3e6


def test_axes_of_the_same_length_have_ieee_axes(calculator, tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    atoms.rattle(0.05, seed=1)  # triclinic with a = b = c
    path = write_report(atoms, tmp_path / "a.html", calculator)
    assert "Stiffness C in IEEE axes" in words(path)


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
