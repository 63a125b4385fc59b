"""Mistakes in first-principles tensors are found and undone, and right tensors are let alone."""

import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from crystals import perovskite

from ase_eqtensor import EqTensorCalculator, check_tensors, load_model
from ase_eqtensor.analysis import ieee_rotation
from ase_eqtensor.checking.expectation import Expectation
from ase_eqtensor.checking.frames import built, named_frames
from ase_eqtensor.checking.readings import FRAME, IONS, ORDER, TRANSPOSED, UNIT, readings
from ase_eqtensor.checking.verdict import DOUBTFUL, FAR, FINE, WRONG, verdicts
from ase_eqtensor.crystal.symmetry import DEFAULT_SYMPREC, analyse
from ase_eqtensor.errors import DataError
from ase_eqtensor.quantities import QUANTITIES
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.quantities.stiffness import COMPLIANCE, STIFFNESS
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.tensors.notation import GPA

VASP = np.ix_([0, 1, 2, 5, 3, 4], [0, 1, 2, 5, 3, 4])  # our entries in the order of VASP


@pytest.fixture(scope="module")
def shipped() -> EqTensorCalculator:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return EqTensorCalculator()


@pytest.fixture(scope="module")
def known():
    """Entry of the training data -> crystal and first-principles tensors."""
    found: dict[str, tuple[Atoms, dict]] = {}
    for crystal in load_model().training_crystals:
        if STIFFNESS.name in crystal.tensors:
            found[crystal.source_id] = crystal.atoms, crystal.tensors
    return found


@pytest.fixture(scope="module")
def anisotropic(known):
    """An orthorhombic crystal whose C44, C55 and C66 differ most, and its stiffness."""
    orthorhombic = (
        (atoms, tensors[STIFFNESS.name])
        for atoms, tensors in known.values()
        if np.ptp(np.diag(tensors[STIFFNESS.name])[3:]) > 60 * GPA
        and analyse(atoms).crystal_system == "orthorhombic"
    )

    def least_difference(found) -> float:
        return float(np.diff(np.sort(np.diag(found[1])[3:])).min() / np.linalg.norm(found[1]))

    return max(orthorhombic, key=least_difference)


def zincite(known) -> tuple[Atoms, dict]:
    return known["mp-2133"]


@pytest.mark.parametrize("entry", ["mp-2133", "mp-2741", "mp-546794", "mp-554278"])
def test_tensors_of_first_principles_are_let_alone(known, shipped, entry):
    atoms, tensors = known[entry]
    for verdict in check_tensors(atoms, tensors, shipped).values():
        assert verdict.status in (FINE, FAR) and not verdict.alarm
        assert verdict.repaired is None and verdict.entry == entry
        np.testing.assert_array_equal(verdict.tensor, verdict.given)


def test_kilobar_for_gigapascal(known, shipped):
    atoms, tensors = zincite(known)
    true = tensors[STIFFNESS.name]
    verdict = check_tensors(atoms, {STIFFNESS.name: 10 * true}, shipped)[STIFFNESS.name]
    assert verdict.status == WRONG and verdict.causes == (UNIT,)
    assert verdict.explanation == ("kbar taken for GPa",)
    np.testing.assert_allclose(verdict.repaired, true, atol=1e-9 * true.max())
    assert verdict.evidence["known_repaired"] < 1e-6 < verdict.evidence["known"]


def test_the_order_of_vasp(anisotropic, shipped):
    atoms, true = anisotropic
    verdict = check_tensors(atoms, {STIFFNESS.name: true[VASP]}, shipped)[STIFFNESS.name]
    assert verdict.status == WRONG and ORDER in verdict.causes
    assert "as VASP has it" in verdict.explanation[0]
    assert STIFFNESS.relative_error(verdict.repaired, true) < 1e-6


def test_kilobar_in_the_order_of_vasp(anisotropic, shipped):
    atoms, true = anisotropic
    verdict = check_tensors(atoms, {STIFFNESS.name: 10 * true[VASP]}, shipped)[STIFFNESS.name]
    assert verdict.causes[0] == f"{UNIT}, {ORDER}"
    assert STIFFNESS.relative_error(verdict.repaired, true) < 1e-6


def test_the_frame_of_a_primitive_cell(known, shipped):
    """Fluorite, of which any frame but that of the cube breaks the symmetry."""
    atoms, tensors = known["mp-2741"]
    true = STIFFNESS.rotate(tensors[STIFFNESS.name], ieee_rotation(atoms))
    cell = ([0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0])
    cube = bulk("CaF2", "fluorite", a=5.4)
    np.testing.assert_allclose(cube.cell, cell)
    written = STIFFNESS.rotate(true, built(np.array(cube.cell), (0, 0), (1, 1)))
    assert STIFFNESS.relative_error(written, true) > 0.05
    verdict = check_tensors(cube, {STIFFNESS.name: written}, shipped)[STIFFNESS.name]
    assert verdict.status == WRONG and FRAME in verdict.causes
    assert STIFFNESS.relative_error(verdict.repaired, true) < 1e-3


def test_a_tensor_in_ieee_axes_and_one_rotated_by_the_transpose(known, shipped):
    atoms, tensors = zincite(known)
    true = tensors[STIFFNESS.name]
    tilt = built(np.array([[1.0, 2, 0.5], [0, 1, 0.3], [0.2, 0, 1]]), (0, 0), (1, 1))
    turned = Atoms(atoms.numbers, atoms.positions @ tilt.T, cell=atoms.cell @ tilt.T, pbc=True)
    here = STIFFNESS.rotate(true, tilt)
    to_ieee = ieee_rotation(turned)
    for rotation, cause in ((to_ieee, FRAME), (to_ieee.T, TRANSPOSED)):
        written = {STIFFNESS.name: STIFFNESS.rotate(here, rotation)}
        verdict = check_tensors(turned, written, shipped)[STIFFNESS.name]
        assert verdict.status == WRONG and cause in verdict.causes
        assert STIFFNESS.relative_error(verdict.repaired, here) < 1e-6
        assert verdict.evidence["broken"] > 0.01 > verdict.evidence["broken_repaired"]


def test_a_compliance_for_a_stiffness(known, shipped):
    atoms, tensors = zincite(known)
    true = tensors[STIFFNESS.name]
    per_tpa = COMPLIANCE.to_ase(np.linalg.inv(STIFFNESS.from_ase(true))) * GPA * 1e3
    verdict = check_tensors(atoms, {STIFFNESS.name: per_tpa * GPA}, shipped)[STIFFNESS.name]
    assert verdict.explanation == ("a compliance in 1/TPa",)
    assert STIFFNESS.relative_error(verdict.repaired, true) < 1e-6


def test_eps_inf_is_no_total_permittivity(shipped):
    atoms = bulk("MgO", "rocksalt", a=4.25)
    electronic, total = 3.2 * np.eye(3), 10.2 * np.eye(3)
    alone = check_tensors(atoms, {TOTAL.name: electronic}, shipped)[TOTAL.name]
    assert alone.status == WRONG and alone.causes == (IONS,) and alone.repaired is None
    both = check_tensors(atoms, {TOTAL.name: total, ELECTRONIC.name: total}, shipped)
    assert both[TOTAL.name].causes == (IONS,)
    swapped = check_tensors(atoms, {TOTAL.name: electronic, ELECTRONIC.name: total}, shipped)
    np.testing.assert_array_equal(swapped[TOTAL.name].repaired, total)
    np.testing.assert_array_equal(swapped[ELECTRONIC.name].repaired, electronic)


def test_elements_without_a_dipole_may_have_one_permittivity(shipped):
    atoms, eps = bulk("Si"), 13.0 * np.eye(3)
    found = check_tensors(atoms, {TOTAL.name: eps, ELECTRONIC.name: eps}, shipped)
    assert not any(verdict.alarm for verdict in found.values())


def test_piezoelectric_numbers_column_after_column(shipped):
    atoms = bulk("ZnO", "wurtzite", a=3.25, c=5.21, u=0.382)
    true = shipped.predict([atoms])[0].tensors[PIEZOELECTRIC.name]
    for written, cause in ((true.T.ravel().reshape(3, 6), TRANSPOSED), (true * C_PER_M2, UNIT)):
        verdict = check_tensors(atoms, {PIEZOELECTRIC.name: written}, shipped)[PIEZOELECTRIC.name]
        assert verdict.causes[0] == cause
        assert PIEZOELECTRIC.relative_error(verdict.repaired, true) < 1e-6


def test_a_piezoelectric_tensor_of_a_centric_crystal_is_doubtful(shipped):
    tensor = np.zeros((3, 6))
    tensor[2, 2] = 1.0 / C_PER_M2
    verdict = check_tensors(perovskite(), {PIEZOELECTRIC.name: tensor}, shipped)
    assert verdict[PIEZOELECTRIC.name].status == DOUBTFUL
    nothing = {PIEZOELECTRIC.name: np.zeros((3, 6))}
    assert check_tensors(perovskite(), nothing, shipped)[PIEZOELECTRIC.name].status == FINE


def test_an_unstable_stiffness_is_doubtful(known, shipped):
    atoms, tensors = zincite(known)
    c = tensors[STIFFNESS.name].copy()
    c[3, 3] = c[4, 4] = -0.3 * c[3, 3]
    verdict = check_tensors(atoms, {STIFFNESS.name: c}, shipped)[STIFFNESS.name]
    assert verdict.alarm and verdict.evidence["least_eigenvalue"] < 0


def test_without_a_model_the_point_group_alone_decides(known):
    atoms, tensors = zincite(known)
    true = tensors[STIFFNESS.name]
    found = verdicts(atoms, {STIFFNESS.name: 10 * true}, None, DEFAULT_SYMPREC)
    assert found[STIFFNESS.name].status == FINE  # no group forbids a unit
    swapped = true.copy()
    swapped[2, 2], swapped[0, 0] = true[0, 0], true[2, 2]
    found = verdicts(atoms, {STIFFNESS.name: swapped * [[1], [1], [1], [2], [1], [1]]}, None, 0.01)
    assert found[STIFFNESS.name].alarm


def test_rounded_numbers_do_not_break_a_symmetry(known, shipped):
    atoms, tensors = zincite(known)
    soft = (0.05 * tensors[STIFFNESS.name] / GPA).round() * GPA  # errors of 10 % by rounding
    group = analyse(atoms).rotations
    expected = Expectation.of(STIFFNESS, None, group)
    rounded, exact = (
        expected.fit(STIFFNESS.from_ase(c)[None]).logarithm[0] for c in (soft, soft * 1.00037)
    )
    assert rounded > exact


def test_every_reading_undoes_what_it_says():
    """Frames and orders are permutations of components that keep the size; units factors."""
    rng = np.random.default_rng(0)
    atoms = bulk("ZnO", "wurtzite", a=3.25, c=5.21)
    frames = named_frames(atoms, analyse(atoms), DEFAULT_SYMPREC)
    for quantity in (STIFFNESS, TOTAL, PIEZOELECTRIC):
        tensor = rng.normal(size=quantity.shape)
        if quantity.shape[0] == quantity.shape[1]:
            tensor = tensor + tensor.T
        size = np.linalg.norm(quantity.from_ase(tensor))
        for reading in readings(quantity, tensor, frames):
            assert QUANTITIES[reading.expected].shape == reading.assumed.shape
            if reading.cause in (FRAME, TRANSPOSED) and "column" not in reading.explanation:
                rotated = np.linalg.norm(quantity.from_ase(reading.assumed))
                assert rotated == pytest.approx(size)
            if reading.cause == ORDER:
                both = reading.assumed, tensor
                if quantity.shape == (3, 3):  # each entry once
                    both = tuple(one[np.triu_indices(3)] for one in both)
                assert np.sort(both[0], None) == pytest.approx(np.sort(both[1], None))


@pytest.mark.parametrize(
    "name, value",
    [("stiffness of steel", np.eye(6)), (TOTAL.name, np.eye(6)), (TOTAL.name, np.eye(3) * np.nan)],
)
def test_what_is_no_tensor_is_refused(shipped, name, value):
    with pytest.raises(DataError, match="MgO"):
        check_tensors(bulk("MgO", "rocksalt", a=4.21), {name: value}, shipped)
