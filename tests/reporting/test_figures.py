"""Figures hold the values of their directions and all atoms of the cell; numbers are rounded."""

import numpy as np
import pytest
from crystals import CRYSTALS

from ase_eqtensor.quantities.permittivity import ELECTRONIC
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.reporting.figures import structure_picture, surface_pictures
from ase_eqtensor.reporting.numbers import number
from ase_eqtensor.tensors.directional import youngs_modulus
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.tensors.notation import GPA


def test_surfaces_have_the_values_of_their_directions():
    a = np.random.default_rng(3).normal(size=(6, 6))
    stiffness = (a @ a.T + 6 * np.eye(6)) * GPA
    pictures = surface_pictures(STIFFNESS, stiffness, np.diag([3.0, 4.0, 5.0]))
    young, shear, squeeze, slowness = pictures
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
    slow, middle, fast = (np.asarray(trace.surfacecolor) for trace in slowness.figure.data[:3])
    assert (slow >= middle).all() and (middle >= fast).all()
    along_z = np.asarray(stiffness)[[4, 3, 2]][:, [4, 3, 2]] / GPA  # Gamma of a wave along z
    np.testing.assert_allclose(
        [slow[0, 0], middle[0, 0], fast[0, 0]], np.linalg.eigvalsh(along_z) ** -0.5, rtol=1e-4
    )


def test_light_has_one_index_along_an_optic_axis():
    eps = np.diag([2.0, 2.0, 3.0])
    slower, faster = (
        np.asarray(trace.surfacecolor)
        for trace in surface_pictures(ELECTRONIC, eps, np.eye(3))[1].figure.data[:2]
    )
    assert slower[0, 0] == faster[0, 0] == pytest.approx(2**0.5, rel=1e-5)
    assert slower.max() == pytest.approx(3**0.5, rel=1e-3)


def test_a_piezoelectric_surface_is_drawn_where_there_is_a_tensor():
    e = np.zeros((3, 6))
    assert surface_pictures(PIEZOELECTRIC, e, np.eye(3)) == []
    e[0, 3] = e[1, 4] = e[2, 5] = 1 / C_PER_M2
    (picture,) = surface_pictures(PIEZOELECTRIC, e, np.eye(3))
    values = np.asarray(picture.figure.data[0].surfacecolor)
    assert values.max() == pytest.approx(2 / 3**0.5, rel=1e-2)  # along a diagonal of the cube
    assert values.min() < 0 and "absolute value" in picture.caption


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
