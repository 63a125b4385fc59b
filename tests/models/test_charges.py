"""Charges that follow from surroundings: their sum, their symmetry, and what they learn."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from crystals import CRYSTALS
from equivariance import orthogonal
from partners import Ions, charges

from ase_eqtensor.models.charges import FLOOR, Neighbourhoods, ionic_part
from ase_eqtensor.potential.opinion import Opinion, ask
from ase_eqtensor.train.partner.charges import learn

MGO = bulk("MgO", "rocksalt", a=4.25)


def born(atoms: Atoms, members: int = 2) -> np.ndarray:
    """(M, N, 3, 3) of untaught charges."""
    return charges(members)(Neighbourhoods.of([atoms]))[:, 0].double().numpy()


@pytest.mark.parametrize("name", sorted(CRYSTALS))
def test_they_add_up_to_zero(name):
    found = born(CRYSTALS[name])
    assert np.abs(found.sum(1)).max() < 1e-5 * len(CRYSTALS[name])
    assert found.shape == (2, len(CRYSTALS[name]), 3, 3)


@pytest.mark.parametrize("proper", [True, False])
def test_they_turn_with_the_crystal(proper):
    atoms, turn = CRYSTALS["quartz"].copy(), orthogonal(3, proper)
    before = born(atoms)
    atoms.set_cell(atoms.cell[:] @ turn.T, scale_atoms=True)
    assert born(atoms) == pytest.approx(turn @ before @ turn.T, abs=1e-5)


def test_they_have_the_symmetry_of_the_site():
    found = born(MGO)
    assert found == pytest.approx(found[:, :, :1, :1] * np.eye(3), abs=1e-5)
    rutile = born(CRYSTALS["rutile"])
    assert np.ptp(np.linalg.eigvalsh(rutile[0, 0])) > 1e-4  # no site of cubic symmetry


def test_supercells_and_order_do_not_matter():
    atoms = CRYSTALS["rutile"]
    doubled = make_supercell(atoms, np.diag([1, 1, 2]))
    found = born(doubled)
    expected = born(atoms)
    for i, atom in enumerate(atoms):
        j = int(np.argmin(np.linalg.norm(doubled.positions - atom.position, axis=1)))
        assert found[:, j] == pytest.approx(expected[:, i], abs=1e-5)


def test_many_crystals_are_as_each_alone():
    together = charges()(Neighbourhoods.of([MGO, CRYSTALS["quartz"]])).numpy()
    assert together[:, 0, :2] == pytest.approx(born(MGO, 1), abs=1e-6)
    assert np.all(together[:, 0, 2:] == 0)
    assert together[:, 1] == pytest.approx(born(CRYSTALS["quartz"], 1), abs=1e-6)


def test_ionic_part_of_two_ions():
    """eps = e^2 Z^2 / (eps_0 V k), with the force constant k of the one relative displacement."""
    opinion = ask(MGO, Ions(), force_constants=True)
    z = np.array([2, -2])[:, None, None] * np.eye(3)
    k = opinion.modes[0][0] / 2  # of the relative displacement: its eigenvector has norm sqrt 2
    volume = opinion.atoms.get_volume()
    found = ionic_part(z, opinion)
    assert found.permittivity == pytest.approx(180.9513 * 4 / (volume * k) * np.eye(3), rel=1e-4)
    assert found.softest == pytest.approx(opinion.modes[0][0])


def test_an_unstable_mode_counts_as_the_softest_that_is_known():
    atoms = MGO.copy()
    constants = -np.kron([[1, -1], [-1, 1]], np.eye(3))
    opinion = Opinion(atoms, 1.0, True, np.eye(6), None, constants)
    z = np.array([2, -2])[:, None, None] * np.eye(3)
    found = ionic_part(z, opinion)
    assert found.softest == pytest.approx(-2)
    expected = 180.9513 / atoms.get_volume() * 8 / FLOOR
    assert found.permittivity == pytest.approx(expected * np.eye(3), rel=1e-4)


def test_without_force_constants_nothing_is_said():
    with pytest.raises(ValueError, match="MgO: force constants"):
        ionic_part(np.zeros((2, 3, 3)), ask(MGO, Ions()))


def test_charges_are_learnt_from_permittivities_alone():
    """Twelve crystals whose ionic parts are those of charges of two electrons."""
    crystals = [bulk("MgO", "rocksalt", a=a) for a in np.linspace(4.15, 4.35, 12)]
    opinions = [ask(atoms, Ions(), force_constants=True) for atoms in crystals]
    z = np.array([2, -2])[:, None, None] * np.eye(3)
    true = np.array([np.trace(ionic_part(z, o).permittivity) / 3 for o in opinions])
    network = learn(opinions, true)
    (magnesium, oxygen) = network(Neighbourhoods.of([MGO])).mean(0)[0].numpy()
    assert magnesium == pytest.approx(2 * np.eye(3), abs=0.1)
    assert oxygen == pytest.approx(-magnesium, abs=1e-6)
