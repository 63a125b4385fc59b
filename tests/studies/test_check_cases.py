"""The spoilt tensors of the study are what they are called, and answers are counted as they are."""

import numpy as np
import pytest
from crystals import zirconia

from ase_eqtensor.checking.readings import FRAME
from ase_eqtensor.checking.verdict import FAR, WRONG, Verdict
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.record import Record
from studies.check_cases import MISTAKES, answer, as_written

ATOMS = zirconia()
ATOMS.rotate(40, (1, 2, 3), rotate_cell=True)  # so that every mistake changes something


@pytest.fixture
def record() -> Record:
    rng = np.random.default_rng(0)
    group = analyse(ATOMS).rotations
    c = rng.normal(size=(6, 6))
    targets = {STIFFNESS.name: STIFFNESS.project(c @ c.T + 5 * np.eye(6), group)}
    eps = rng.normal(size=(3, 3))
    targets[TOTAL.name] = TOTAL.project(eps @ eps.T + 5 * np.eye(3), group)
    targets[ELECTRONIC.name] = 0.5 * targets[TOTAL.name]
    return Record(ATOMS, "elastic", "test", "1", targets, frame_deviation=0.02)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_the_true_tensor_belongs_to_the_crystal_and_the_written_one_differs(record, mistake):
    rng = np.random.default_rng(1)
    for quantity in (STIFFNESS, TOTAL):
        if quantity not in mistake.quantities:
            continue
        true = np.asarray(record.targets[quantity.name])
        case = mistake.make(record, quantity, true, rng)
        group = analyse(case.atoms).rotations
        assert quantity.relative_error(quantity.project(case.true, group), case.true) < 1e-6
        np.testing.assert_allclose(case.true, quantity.rotate(true, case.turn), atol=1e-9)
        changed = not np.allclose(case.written, case.true)
        assert changed or mistake is MISTAKES[-1]  # the crystal's cell is primitive


def test_what_curation_took_out_is_put_in_again(record):
    true = np.asarray(record.targets[STIFFNESS.name])
    written = as_written(record, STIFFNESS, true, np.random.default_rng(2))
    assert STIFFNESS.relative_error(written, true) == pytest.approx(0.02)
    back = STIFFNESS.project(written, analyse(ATOMS).rotations)
    np.testing.assert_allclose(back, true, atol=1e-9)


def test_an_answer_counts_only_with_the_right_tensor(record):
    mistake = next(one for one in MISTAKES if one.cause == FRAME)
    true = np.asarray(record.targets[STIFFNESS.name])
    case = mistake.make(record, STIFFNESS, true, np.random.default_rng(3))

    def counted(status: str, *causes: str, repaired=None) -> str:
        verdict = Verdict(STIFFNESS.name, case.written, status, causes, repaired=repaired)
        return answer(verdict, mistake, STIFFNESS, case)

    assert counted(WRONG, FRAME, repaired=true) == "right"
    assert counted(WRONG, "unit", FRAME, repaired=true) == "right"  # they do the same
    assert counted(WRONG, FRAME, repaired=2 * true) == "another frame"
    assert counted(WRONG, "unit", repaired=true) == "unit"
    assert counted(FAR) == "far"
