"""How notebooks show calculators and predictions."""

import subprocess
import sys
from html.parser import HTMLParser

import pytest
from ase.build import bulk
from ase.io import read
from crystals import CRYSTALS
from places import CIFS

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.models.store import DEFAULT_MODEL
from ase_eqtensor.quantities.numbers import number, span
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.notation import GPA

VOID = {"br", "hr"}


class Balanced(HTMLParser):
    """Collects text; fails where a tag ends that has not begun."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def calculator():
    return EqTensorCalculator()


def test_a_prediction_has_its_numbers_and_bounds(calculator):
    (prediction,) = calculator.predict([read(CIFS / "CaWO4.cif")])
    text = Balanced(prediction._repr_html_()).text
    assert f"{number(prediction.scalars['k_vrh_gpa'])} GPa" in text
    assert span(prediction.interval("k_vrh_gpa")) in text
    assert f"{prediction.tensors[STIFFNESS.name][0, 0] / GPA:.1f}" in text
    bound = 100 * prediction.uncertainty[STIFFNESS.name].relative_error[0.9]
    assert f"error below {bound:.0f} % in 90 % of crystals" in text
    assert "Stiffness C, GPa" in text and "zero by symmetry" in text  # it has an inversion centre


def test_warnings_and_refusals_are_told(calculator):
    (metal, lead) = calculator.predict([bulk("Al"), CRYSTALS["rutile"]])
    text = Balanced(metal._repr_html_()).text
    assert "likely metal : electronic permittivity, total permittivity" in text
    assert "likely metal" not in Balanced(lead._repr_html_()).text
    with pytest.warns(UserWarning):
        (refused,) = calculator.predict([bulk("Po", "sc", a=3.35)])
    text = Balanced(refused._repr_html_()).text
    assert "Po does not occur in the training data" in text and "model" in text


def test_a_known_value_is_called_so():
    known = EqTensorCalculator(prefer_known=True)
    (prediction,) = known.predict([read(CIFS / "CaF2.cif")])
    assert "from first principles: mp-2741" in Balanced(prediction._repr_html_()).text


def test_a_calculator_shows_its_settings_and_its_last_calculation(calculator):
    before = Balanced(EqTensorCalculator(symprec=0.02)._repr_html_()).text
    assert "symprec 0.02" in before and "Bulk modulus" not in before
    atoms = read(CIFS / "MgO.cif")
    atoms.calc = EqTensorCalculator()
    atoms.get_property(STIFFNESS.name)
    text = Balanced(atoms.calc._repr_html_()).text
    assert "MgO" in text and "Bulk modulus K" in text and f"'{DEFAULT_MODEL}'" in text


def test_no_library_of_an_extra_is_needed():
    code = (
        "import sys; sys.modules |= dict.fromkeys(('plotly', 'jinja2', 'markupsafe'))\n"
        "from ase.build import bulk\n"
        "from ase_eqtensor import predict\n"
        "print(predict([bulk('MgO', 'rocksalt', a=4.2)])[0]._repr_html_())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Stiffness C" in done.stdout
