"""Dipoles of bonds: what no dipole may come of, and that they turn with the crystal."""

import numpy as np
import torch
from ase.build import bulk
from equivariance import orthogonal, turned

from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.notation import mandel_rotation
from ase_eqtensor.train.frames.bonds import BondDipoles, Bonds


def dipoles(bonds: Bonds) -> BondDipoles:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = BondDipoles(bonds.first.shape[1]).eval()
        for parameter in made.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return made.requires_grad_(False)


def moved(atoms, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3 * len(atoms), 6))


def test_turning_the_crystal_turns_the_tensor():
    atoms = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    strain, rotation = moved(atoms), orthogonal(3)
    bonds = Bonds.of(atoms, strain)
    tensor = dipoles(bonds)(bonds)[0].numpy()
    other = rotation @ strain.reshape(-1, 3, 6) @ mandel_rotation(rotation).T
    again = Bonds.of(turned(atoms, rotation), other.reshape(-1, 6))
    found = dipoles(again)(again)[0].numpy()
    expected = PIEZOELECTRIC.form.rotate(tensor, rotation)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(tensor).max())
    assert np.linalg.norm(tensor) > 0.01


def test_moving_all_ions_makes_no_dipole():
    atoms = bulk("ZnO", "wurtzite", a=3.25, c=5.2)
    still, together = np.zeros((12, 6)), np.tile(moved(atoms)[:3], (4, 1))
    tensors = []
    for strain in (still, together):
        bonds = Bonds.of(atoms, strain)
        tensors.append(dipoles(bonds)(bonds))
    torch.testing.assert_close(*tensors)


def test_an_inversion_centre_forbids_it():
    atoms = bulk("MgO", "rocksalt", a=4.2)
    bonds = Bonds.of(atoms, np.zeros((6, 6)))
    assert dipoles(bonds)(bonds).abs().max() < 1e-6


def test_crystals_do_not_mix():
    crystals = bulk("ZnO", "wurtzite", a=3.25, c=5.2), bulk("ZnS", "zincblende", a=5.4)
    parts = [Bonds.of(atoms, moved(atoms)) for atoms in crystals]
    made = dipoles(parts[0])
    together = made(Bonds.joined(parts))
    torch.testing.assert_close(together, torch.cat([made(part) for part in parts]))
