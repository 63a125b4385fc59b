"""`ase_eqtensor.plot`: which picture is meant, what it holds, and what it refuses."""

import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from crystals import CRYSTALS
from places import CIFS

from ase_eqtensor import EqTensorCalculator, plot
from ase_eqtensor.errors import (
    ElementError,
    MissingExtraError,
    NothingCalculatedError,
    SettingError,
    StructureError,
)
from ase_eqtensor.quantities.permittivity import TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.directional import youngs_modulus
from ase_eqtensor.tensors.notation import GPA


@pytest.fixture(scope="module")
def gallium_nitride(calculator):
    return calculator.predictor.predict_one(read(CIFS / "GaN.cif"))


@pytest.mark.parametrize("name", ["young", "Young's modulus", "youngs_modulus", "Young’s", "YOUNG"])
def test_young(gallium_nitride, name):
    surface = plot(gallium_nitride, name).data[0]
    points = np.stack([surface.x, surface.y, surface.z], axis=-1)
    expected = youngs_modulus(gallium_nitride.tensors[STIFFNESS.name] / GPA, points)
    np.testing.assert_allclose(surface.surfacecolor, expected, rtol=1e-3)


def test_buttons_choose_a_wave(gallium_nitride):
    figure = plot(gallium_nitride, "slowness")
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == [trace.name for trace in figure.data[:3]]
    state, traces = menu.buttons[1].args
    assert state["visible"] == [False, True, False] and list(traces) == [0, 1, 2]
    assert "1/√GPa" in figure.layout.title.text
    assert not plot(gallium_nitride, "young").layout.updatemenus


def test_cell_vectors_are_drawn_where_they_are_known(gallium_nitride):
    atoms = read(CIFS / "GaN.cif")
    alone, with_cell = plot(gallium_nitride, "young"), plot(gallium_nitride, "young", atoms)
    assert len(with_cell.data) == len(alone.data) + 2
    atoms.calc = EqTensorCalculator()
    with pytest.raises(NothingCalculatedError, match="nothing was calculated yet"):
        plot(atoms.calc, "young")
    atoms.get_property(STIFFNESS.name)
    assert len(plot(atoms.calc, "young").data) == len(with_cell.data)


def test_a_metal_is_flagged_in_the_picture(calculator):
    metal = calculator.predictor.predict_one(bulk("Al"))
    (note,) = plot(metal, TOTAL.name).layout.annotations
    assert "likely metal" in note.text
    assert not plot(metal, "young").layout.annotations


def test_what_cannot_be_drawn(calculator, model, gallium_nitride):
    with pytest.raises(SettingError, match="'bulk': choose from young, shear"):
        plot(gallium_nitride, "bulk")
    with pytest.raises(SettingError, match="'s': choose from shear, slowness"):
        plot(gallium_nitride, "s")
    with pytest.raises(StructureError, match="by symmetry; there is nothing to draw"):
        plot(calculator.predictor.predict_one(CRYSTALS["rutile"]), "piezoelectric")
    salt = bulk("NaCl", "rocksalt", a=5.6)  # the small model knows no stiffness of Cl
    small = EqTensorCalculator(model).predictor.predict_one(salt)
    with pytest.raises(ElementError, match="Cl does not occur"):
        plot(small, "young")
    older = EqTensorCalculator("joint-v2").predictor.predict_one(salt)
    with pytest.raises(SettingError, match="predicts no piezoelectric tensor"):
        plot(older, "piezoelectric")


def test_without_plotly_the_extra_is_named(gallium_nitride, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingExtraError, match=r"plotly.*ase-eqtensor\[report\]"):
        plot(gallium_nitride, "young")
