"""Tensors as densities: empty space dilutes them, whatever the weights are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import make_supercell, mx2
from crystals import CRYSTALS, NON_DIAGONAL
from equivariance import DIELECTRIC, TENSORS, assert_same, bare, graph_of, relative
from networks import card as made_up_card
from networks import tiny_network

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.crystal.graph import collate
from ase_eqtensor.models.features import Told, error_features
from ase_eqtensor.models.store import Model
from ase_eqtensor.network.scaling import Scaling
from ase_eqtensor.quantities import QUANTITIES, Display, Head, Quantity
from ase_eqtensor.tensors.forms import SYMMETRIC

GAPS = (8.0, 11.0, 16.0)  # Å, all wider than the cutoff


def layer(gap: float) -> Atoms:
    """A layer of MoS2 with so much space between its images, nucleus to nucleus."""
    atoms = mx2("MoS2", a=3.18, thickness=3.19)
    atoms.center(vacuum=gap / 2, axis=2)
    atoms.pbc = True
    return atoms


def per_cell(tensors: dict[str, np.ndarray], volume: float) -> dict[str, np.ndarray]:
    """V (eps_inf - 1), V (eps_total - eps_inf), V C and S / V, in which empty space has no part."""
    electronic, total = (tensors[name] for name in DIELECTRIC)
    return {
        "electrons": volume * (electronic - np.eye(3)),
        "ions": volume * (total - electronic),
        "stiffness": volume * tensors["elasticity_tensor"],
        "compliance": tensors["compliance_tensor"] / volume,
    }


@pytest.mark.parametrize("gap", GAPS[1:])
def test_dilution_law_is_exact(gap):
    """V times a density is the same for any gap that no edge crosses, also of bounded tensors."""
    for noise in (0.1, 3.0):
        network = tiny_network(noise=noise).double()
        (narrow,), (wide,) = (bare(network, layer(g)) for g in (GAPS[0], gap))
        expected = per_cell(narrow, layer(GAPS[0]).get_volume())
        for name, value in per_cell(wide, layer(gap).get_volume()).items():
            assert relative(value, expected[name]) < 1e-10, name
        assert relative(wide["elasticity_tensor"], narrow["elasticity_tensor"]) > 0.1
        assert wide["formation_energy"] == pytest.approx(narrow["formation_energy"], rel=1e-12)


def test_dilution_law_of_the_calculator():
    """With symmetry, reduction and projection of what a user gets."""
    calculator = EqTensorCalculator(Model(tiny_network(), made_up_card()), dtype="float64")
    narrow, wide = (
        per_cell(calculator.predict([layer(gap)])[0].tensors, layer(gap).get_volume())
        for gap in GAPS[::2]
    )
    for name, value in wide.items():
        assert relative(value, narrow[name]) < 1e-9, name


def test_without_densities_the_volume_plays_no_role():
    """As in the models before: another volume of an atom changes nothing, and with densities
    exactly the factor, times what strain makes of it (test_scaling.py)."""
    plain, dense = (tiny_network(densities=flag).double() for flag in (False, True))
    dense.load_state_dict(dense.state_dict() | plain.state_dict())
    for name, atoms in CRYSTALS.items():
        graph = graph_of(plain, atoms)
        assert graph.volume == pytest.approx(atoms.get_volume() / len(atoms))
        with torch.no_grad():
            before, after = (plain(collate([g])) for g in (graph, replace(graph, volume=1e3)))
            divided = dense(collate([graph]))
        for key, value in before.items():
            assert torch.equal(after[key], value)
        expected = per_cell({key: value[0].numpy() for key, value in before.items()}, 1.0)
        found = per_cell({key: value[0].numpy() for key, value in divided.items()}, graph.volume)
        scaling = Scaling.of(collate([graph]), plain.architecture.cutoff, dense.rest)
        x, contrast = scaling.strain.exp().item(), scaling.contrast.exp().item()
        factors = {
            "electrons": 1,
            "ions": x**6 * contrast,
            "stiffness": x**-7,
            "compliance": x**7,
        }
        for key, value in found.items():
            assert relative(value, factors[key] * expected[key]) < 1e-10, (name, key)
        assert torch.equal(divided["formation_energy"], before["formation_energy"])


def test_a_supercell_has_the_same_volume_per_atom():
    network = tiny_network().double()
    atoms = CRYSTALS["quartz"]
    graph, large = (graph_of(network, a) for a in (atoms, make_supercell(atoms, NON_DIAGONAL)))
    assert large.volume == pytest.approx(graph.volume, rel=1e-13)
    assert_same(*bare(network, make_supercell(atoms, NON_DIAGONAL)), *bare(network, atoms), 1e-10)


def test_volumes_of_a_batch_are_not_mixed_up():
    network = tiny_network().double()
    crystals = [layer(9.0), CRYSTALS["rocksalt"], layer(15.0)]
    for atoms, together in zip(crystals, bare(network, *crystals), strict=True):
        assert_same(together, *bare(network, atoms), 1e-12)


def test_levels_of_error_features_stay_absolute():
    """The scale of an error depends on how stiff a crystal is, not on how stiff an atom of it."""
    network, atoms = tiny_network().double(), CRYSTALS["rutile"]
    with torch.no_grad():
        outputs = network.read(collate([graph_of(network, atoms)])).arrays
    arrays = {name: value.numpy() for name, value in outputs.items()}
    features = error_features(
        Told(arrays, [0], [atoms.numbers], [atoms.get_volume()], ["tetragonal"]), {}
    )
    (tensors,) = bare(network, atoms)
    level = np.linalg.slogdet(tensors["elasticity_tensor"])[1] / 6
    assert features["stiffness level"][0] == pytest.approx(level)


def test_what_is_no_logarithm_is_divided(monkeypatch):
    """A dipole per volume, say, which may have either sign."""
    head = Head("moment", SYMMETRIC, lambda tensors: None, logarithm=False, density=True)
    moment = Quantity(
        "moment_tensor", "made up", "", SYMMETRIC, (head,), lambda heads: heads[head.name],
        Display("Moment", "moment", "M", "", 1.0, 2, ""),
    )  # fmt: skip
    monkeypatch.setitem(QUANTITIES, moment.name, moment)
    network = tiny_network(heads=[head.name]).double()
    narrow, wide = (
        layer(gap).get_volume() * bare(network, layer(gap))[0][moment.name] for gap in GAPS[:2]
    )
    assert relative(wide, narrow) < 1e-10 and np.linalg.eigvalsh(narrow)[0] < 0


def test_heads_say_what_is_a_density():
    dense = {name for name, q in QUANTITIES.items() if all(head.density for head in q.heads)}
    assert dense == set(TENSORS)
