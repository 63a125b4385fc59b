"""Forces and stresses of many structures at once."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from ase_eqtensor.errors import PartnerError, StructureError
from ase_eqtensor.potential.calculators import calculator
from ase_eqtensor.potential.evaluation import forces_and_stress
from ase_eqtensor.potential.opinion import ask


def rattled(symbol: str, count: int) -> list:
    """Copies of a crystal of two atoms, each shaken in its own way."""
    images = [bulk(symbol).repeat((2, 1, 1)) for _ in range(count)]
    for seed, atoms in enumerate(images):
        atoms.rattle(0.05, seed=seed)
    return images


@pytest.mark.parametrize("name", ["7net-0", "ase.calculators.emt:EMT"])
def test_many_are_as_one_after_another(name):
    if name == "7net-0":
        pytest.importorskip("sevenn")
    found = calculator(name, "any")
    together = forces_and_stress(rattled("Cu", 5), found)
    for atoms, answer in zip(rattled("Cu", 5), together, strict=True):
        (alone,) = forces_and_stress([atoms], found)
        atoms.calc = found
        assert answer.forces == pytest.approx(atoms.get_forces(), abs=1e-5)
        assert answer.stress == pytest.approx(atoms.get_stress(voigt=False), abs=1e-6)
        assert alone.forces == pytest.approx(answer.forces, abs=1e-5)


def test_numbers_that_are_not_finite_are_refused():
    class Broken(EMT):
        def calculate(self, *args):
            super().calculate(*args)
            self.results["forces"][0, 0] = np.nan

    with pytest.raises(StructureError, match="not finite"):
        forces_and_stress([bulk("Cu")], Broken())
    with pytest.raises(PartnerError, match="not finite"):
        ask(bulk("Cu"), Broken())


def test_opinion():
    opinion = ask(bulk("Cu", a=3.7, cubic=True), EMT())
    assert len(opinion.atoms) == 1 and opinion.volume_ratio < 1
    assert opinion.doubt == "" and opinion.instability == ""
    assert opinion.least_eigenvalue_gpa > 10 and opinion.force_constants is None
    assert ask(bulk("Cu", "hcp", a=2.6), EMT(), force_constants=True).force_constants.shape == (
        6,
        6,
    )


def test_another_crystal_is_doubted():
    assert "0.8" in ask(bulk("Cu", a=3.85), EMT()).doubt


def test_an_unstable_one_says_so():
    assert "unstable under strain" in ask(bulk("Cu", "bcc", a=2.87), EMT()).instability


def test_whatever_a_calculator_raises_is_told():
    with pytest.raises(PartnerError, match="NotImplementedError.*Fe"):
        ask(bulk("Fe"), EMT())


def test_large_cells_are_not_asked_about():
    """A perfect supercell is its primitive cell; one without symmetry would take hours."""
    supercell = bulk("Cu", cubic=True, a=3.6).repeat(3)
    assert len(ask(supercell, EMT()).atoms) == 1
    supercell.rattle(0.05, seed=0)
    with pytest.raises(PartnerError, match="108 atoms.*at most 64"):
        ask(supercell, EMT())
