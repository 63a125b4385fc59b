"""How tensors scale with distances before anything is learnt."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from crystals import CRYSTALS
from equivariance import bare
from networks import tiny_network

from ase_eqtensor.crystal.graph import GraphBatch, build_graph, collate
from ase_eqtensor.network.rest import RestDistance
from ase_eqtensor.network.scaling import Scaling
from ase_eqtensor.network.surroundings import Surroundings
from studies.laws import layered, strained

CUTOFF = 6.0


def batch(*crystals: Atoms) -> GraphBatch:
    return collate([build_graph(atoms, CUTOFF, np.zeros(len(atoms), int)) for atoms in crystals])


def scaling(*crystals: Atoms) -> Scaling:
    """Before distances at rest are taught, so that strains are absolute distances."""
    return Scaling.of(batch(*crystals), CUTOFF, RestDistance())


def distance(*crystals: Atoms) -> np.ndarray:
    return scaling(*crystals).strain[0].numpy()


@pytest.mark.parametrize("name", CRYSTALS)
def test_it_grows_as_distances_do(name):
    small, large = (distance(strained(CRYSTALS[name], ratio))[0] for ratio in (0.95, 1.05))
    assert 3 * (large - small) == pytest.approx(np.log(1.05 / 0.95), rel=0.05)


@pytest.mark.parametrize("name", CRYSTALS)
def test_a_distance_at_rest_does_not_change_with_the_strain(name):
    """But for the neighbours that pass the cutoff."""
    rest = tiny_network(seed=1).rest
    at_rest = []
    for ratio in (0.98, 1.02):
        graph = batch(strained(CRYSTALS[name], ratio))
        at_rest.append(rest(graph, Surroundings.of(graph, CUTOFF)).item())
    assert at_rest[1] == pytest.approx(at_rest[0], abs=3e-3) and abs(at_rest[0]) > 1e-2


def test_a_bond_as_long_as_the_radii_say():
    """Silicon: four neighbours at 2.35 Å, radii of 1.11 Å, and a little from further ones."""
    expected = np.log(2.35 / 2.22) - np.log(4) / 8
    assert distance(bulk("Si"))[0] == pytest.approx(expected, abs=0.01)


def test_empty_space_and_other_crystals_of_the_batch_do_not_matter():
    layers = [layered("MoS2", gap) for gap in (7.0, 15.0)]
    narrow, copper, wide = distance(layers[0], bulk("Cu"), layers[1])
    assert narrow == pytest.approx(wide, abs=1e-12)
    assert copper == pytest.approx(distance(bulk("Cu"))[0], abs=1e-12)


def test_it_is_smooth_where_neighbours_leave():
    """Second neighbours of a bcc crystal pass the cutoff at a = 6 Å."""
    values = np.array([distance(bulk("Ba", "bcc", a=a))[0] for a in np.linspace(5.9, 6.1, 81)])
    steps = np.diff(values)
    assert steps.min() > 0
    assert abs(np.diff(steps)).max() < 0.05 * steps.mean()


def test_atoms_without_near_neighbours_are_softer_not_lost():
    """The distance grows when an atom is taken out, and stays finite for one all but alone."""
    ideal = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    vacancy = ideal.copy()
    del vacancy[0]
    assert distance(vacancy)[0] > distance(ideal)[0]
    alone = Atoms("H", cell=[5.99] * 3, pbc=True)
    assert distance(alone)[0] == pytest.approx(np.log(1e3) / 8, rel=1e-3)


def test_tensors_scale_before_anything_is_learnt():
    """A network whose heads are silent: K' = 10/3, and an ionic part that falls under pressure."""
    network = tiny_network(cutoff=CUTOFF)
    for parameter in (*network.heads.parameters(), *network.rest.distance.parameters()):
        parameter.data.zero_()
    small, large = (bare(network, strained(bulk("Si"), ratio))[0] for ratio in (0.98, 1.02))
    tensors = {
        "stiffness": [t["elasticity_tensor"] for t in (small, large)],
        "electronic": [t["electronic_dielectric_tensor"] - np.eye(3) for t in (small, large)],
        "ionic": [
            t["dielectric_tensor"] - t["electronic_dielectric_tensor"] for t in (small, large)
        ],
    }
    for name, power in (("stiffness", -10 / 3), ("electronic", -1.0), ("ionic", 1.0)):
        ratio = tensors[name][1][0, 0] / tensors[name][0][0, 0]
        assert np.log(ratio) / np.log(1.02 / 0.98) == pytest.approx(power, rel=0.02), name


def test_atoms_among_their_like_have_no_charges():
    """A factor of nearly 100 between silicon and salt; a foreign atom shares in it by number."""
    silicon = bulk("Si", cubic=True)
    carbide, salt = bulk("SiC", "zincblende", a=4.36), CRYSTALS["rocksalt"]
    doped = silicon.repeat(3)
    doped.symbols[0] = "P"
    charge = scaling(silicon, doped, carbide, salt).contrast.exp().numpy()
    assert charge[0] == pytest.approx(0.01)
    assert 0 < charge[1] - charge[0] < 3 / 216
    assert charge[2] > 0.8 and charge[3] > 0.6
