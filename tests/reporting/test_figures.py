"""Figures hold the values of their directions and all atoms of the cell; numbers are rounded."""

import re

import numpy as np
import pytest
from ase.build import bulk
from crystals import CRYSTALS

from ase_eqtensor.quantities.numbers import number
from ase_eqtensor.quantities.permittivity import ELECTRONIC
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.reporting.cell import bonds, structure_picture
from ase_eqtensor.reporting.figures import surface_pictures
from ase_eqtensor.tensors.directional import shear_modulus, youngs_modulus
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
    np.testing.assert_allclose(surface.surfacecolor, expected, rtol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), expected, rtol=1e-3)
    assert surface.text[0, 0].startswith(f"{number(expected[0, 0])} GPa along<br>(0, 0, 1)")
    least, greatest = shear.figure.data[:2]
    assert (least.visible, greatest.visible) == (True, False)
    assert (np.asarray(least.surfacecolor) <= np.asarray(greatest.surfacecolor)).all()
    assert "1/TPa" in squeeze.title and f"to {number(expected.max())[:2]}" in young.caption
    slow, middle, fast = (np.asarray(trace.surfacecolor) for trace in slowness.figure.data[:3])
    assert (slow >= middle).all() and (middle >= fast).all()
    along_z = np.asarray(stiffness)[[4, 3, 2]][:, [4, 3, 2]] / GPA  # Gamma of a wave along z
    np.testing.assert_allclose(
        [slow[0, 0], middle[0, 0], fast[0, 0]], np.linalg.eigvalsh(along_z) ** -0.5, rtol=1e-3
    )


def test_light_has_one_index_along_an_optic_axis():
    eps = np.diag([2.0, 2.0, 3.0])
    slower, faster = (
        np.asarray(trace.surfacecolor)
        for trace in surface_pictures(ELECTRONIC, eps, np.eye(3))[1].figure.data[:2]
    )
    assert slower[0, 0] == faster[0, 0] == pytest.approx(2**0.5, rel=1e-4)
    assert slower.max() == pytest.approx(3**0.5, rel=1e-3)


def test_a_piezoelectric_surface_is_drawn_where_there_is_a_tensor():
    e = np.zeros((3, 6))
    assert surface_pictures(PIEZOELECTRIC, e, np.eye(3)) == []
    e[0, 3] = e[1, 4] = e[2, 5] = 1 / C_PER_M2
    (picture,) = surface_pictures(PIEZOELECTRIC, e, np.eye(3))
    values = np.asarray(picture.figure.data[0].surfacecolor)
    assert values.max() == pytest.approx(2 / 3**0.5, rel=1e-2)  # along a diagonal of the cube
    assert values.min() < 0 and "absolute value" in picture.caption


def test_a_function_that_vanishes_identically_is_not_drawn():
    e = np.zeros((3, 6))
    e[0, 3], e[1, 4] = 0.3, -0.3  # the group 422
    assert surface_pictures(PIEZOELECTRIC, e, np.eye(3)) == []


def test_extremes_are_found_between_the_points():
    stiffness = np.diag([3.0, 1.0, 2.0, 1.0, 1.5, 0.7]) * GPA
    (_, shear, *_) = surface_pictures(STIFFNESS, stiffness, None)
    n = np.random.default_rng(0).normal(size=(4000, 3))
    least, greatest = shear_modulus(stiffness / GPA, n)
    said = [float(x) for x in re.findall(r"([\d.]+) GPa along", shear.caption)]
    assert said[0] == pytest.approx(least.min(), rel=0.01) and said[0] <= least.min() + 0.005
    assert said[3] == pytest.approx(greatest.max(), rel=0.01)


def test_bonds_join_near_neighbours():
    coordination = {"rocksalt": 6, "wurtzite": 4, "rutile": 6}
    for name, number_of in coordination.items():
        first, second, vectors = bonds(CRYSTALS[name])
        assert np.bincount(first)[0] == number_of  # of the cation
        back = {(i, j, *np.round(-v, 6)) for i, j, v in zip(first, second, vectors)}
        assert {(j, i, *np.round(v, 6)) for i, j, v in zip(first, second, vectors)} == back
    assert len(bonds(bulk("Fe"))[0]) == 8
    caesium = bulk("CsCl", "cesiumchloride", a=4.12)  # large cations touch as closely as ions do
    assert np.bincount(bonds(caesium)[0]).tolist() == [8, 8]


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
