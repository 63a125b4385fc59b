"""The bare network, reduction and projection off: every symmetry that physics demands of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import bulk, make_supercell
from crystals import CRYSTALS, NON_DIAGONAL, POINT_GROUPS, crystal_of_point_group
from equivariance import (
    DIELECTRIC,
    MOVES,
    PIEZOELECTRIC,
    TENSORS,
    anisotropy,
    assert_equivariant,
    assert_same,
    bare,
    graph_of,
    orthogonal,
    permuted,
    relative,
    rotate_output,
    turned,
)
from networks import tiny_network

from ase_eqtensor.crystal.graph import build_graph, collate
from ase_eqtensor.network.convolution import EdgeBasis
from ase_eqtensor.network.model import Architecture, TensorNetwork
from ase_eqtensor.network.radial import bessel_basis
from ase_eqtensor.quantities import heads
from ase_eqtensor.tensors.irreps import rank2_basis, stiffness_basis
from ase_eqtensor.tensors.notation import mandel_to_voigt
from ase_eqtensor.tensors.wigner import clebsch_gordan

CUBIC = {"rocksalt": CRYSTALS["rocksalt"], "fcc": bulk("Cu")}
every_crystal = pytest.mark.parametrize("name", CRYSTALS)


def zener(network: TensorNetwork, atoms) -> float:
    c = mandel_to_voigt(bare(network, atoms)[0]["elasticity_tensor"])
    return 2 * c[3, 3] / (c[0, 0] - c[0, 1])


@every_crystal
@pytest.mark.parametrize("move", MOVES)
def test_equivariance(network, tolerance, name, move):
    assert_equivariant(lambda a: bare(network, a)[0], CRYSTALS[name], MOVES[move], tolerance)


@every_crystal
def test_translation_permutation_and_wrapping_change_nothing(network, tolerance, name):
    atoms = CRYSTALS[name]
    (expected,) = bare(network, atoms)
    moved = atoms.copy()
    moved.positions += (0.7, -1.3, 11.0)
    wrapped = moved.copy()
    wrapped.wrap()
    assert relative(wrapped.positions, moved.positions) > 0.1
    assert_same(bare(network, moved)[0], expected, tolerance)
    assert_same(bare(network, wrapped)[0], expected, tolerance)
    assert_same(bare(network, permuted(moved))[0], expected, tolerance)


@every_crystal
def test_supercells_change_nothing(network, tolerance, name):
    atoms = CRYSTALS[name]
    (expected,) = bare(network, atoms)
    assert_same(bare(network, make_supercell(atoms, NON_DIAGONAL))[0], expected, tolerance)
    skewed = atoms.copy()  # another cell of the same lattice
    skewed.set_cell(np.array([[1, 0, 0], [2, 1, 0], [0, -1, 1]]) @ atoms.cell[:])
    assert_same(bare(network, skewed)[0], expected, tolerance)


def test_batch_gives_what_single_crystals_give(network, tolerance):
    crystals = list(CRYSTALS.values())
    for atoms, together in zip(crystals, bare(network, *crystals), strict=True):
        assert_same(together, bare(network, atoms)[0], tolerance)


def test_outputs_have_their_shapes_and_are_float64(network):
    (out,) = bare(network, CRYSTALS["quartz"])
    shapes = {name: value.shape for name, value in out.items()}
    assert shapes == {
        "elasticity_tensor": (6, 6),
        "compliance_tensor": (6, 6),
        "electronic_dielectric_tensor": (3, 3),
        "dielectric_tensor": (3, 3),
        "piezoelectric_tensor": (3, 6),
        "formation_energy": (),
    }
    assert {value.dtype for value in out.values()} == {np.dtype("float64")}


@pytest.mark.parametrize("symbol", POINT_GROUPS)
def test_tensors_have_the_symmetry_of_each_point_group(network64, symbol):
    atoms, group = crystal_of_point_group(symbol)
    graph = graph_of(network64, atoms)
    with torch.no_grad():
        log = {k: v.mean(0) for k, v in network64.read(collate([graph])).arrays.items()}
        projected = {
            k: torch.from_numpy(heads()[k].form.group_averages(v.numpy(), [group]))
            for k, v in log.items()
        }
        plain, exact = network64.tensors(log), network64.tensors(projected)
    for name in TENSORS:
        tensor, average = plain[name][0].numpy(), exact[name][0].numpy()
        odd = name == PIEZOELECTRIC
        if odd and (symbol == "432" or np.isclose(group, -np.eye(3)).all((1, 2)).any()):
            assert np.abs(tensor).max() < 1e-15 and np.abs(average).max() < 1e-16
            continue
        scale = np.linalg.norm(tensor)
        images = rotate_output(name, tensor, group)
        assert np.linalg.norm(images - tensor, axis=(1, 2)).max() / scale < 1e-10
        images = rotate_output(name, average, group)
        assert np.linalg.norm(images - average, axis=(1, 2)).max() / scale < 1e-12
        # and not because everything is isotropic: only cubic groups make a rank-2 tensor so
        cubic = len(group) in (12, 24, 48) and symbol in ("23", "m-3", "432", "-43m", "m-3m")
        isotropic = cubic and name in DIELECTRIC
        assert scale > 1e-4, name
        assert (anisotropy(name, tensor) < 1e-10) == isotropic, name


@pytest.mark.parametrize("name", CUBIC)
def test_edges_to_l_4_free_the_zener_ratio(name):
    """Sums of l <= 3 harmonics over the neighbours vanish on m-3m sites, which makes C44 equal
    to (C11 - C12)/2 whatever the weights."""
    for seed in range(3):
        assert abs(zener(tiny_network(seed, noise=0).double(), CUBIC[name]) - 1) > 0.01
        blind = zener(tiny_network(seed, noise=0, lmax=3).double(), CUBIC[name])
        assert blind == pytest.approx(1, abs=1e-12)


def test_classes_matter_in_every_mode_that_has_them(network, class_mode):
    """Other classes, other tensors; as equivariant as before (the tests above)."""
    graph = graph_of(network, CRYSTALS["quartz"])
    other = np.where(graph.site_class == graph.site_class[0], 5, graph.site_class)
    with torch.no_grad():
        a, b = (network(collate([replace(graph, site_class=k)])) for k in (graph.site_class, other))
    change = max(relative(a[name].numpy(), b[name].numpy()) for name in TENSORS)
    of_the_crystal = class_mode in ("gate", "full")
    assert change > 1e-3 if of_the_crystal else change == 0


def test_all_class_modes_start_from_the_same_network():
    """The class terms start at zero, and `full` starts with equal weights for all classes."""
    graph = graph_of(tiny_network(), CRYSTALS["quartz"])
    other = replace(graph, site_class=0 * graph.site_class)
    for mode in ("gate", "full"):
        fresh = tiny_network(noise=0, class_mode=mode)
        assert sum(p.numel() for p in fresh.parameters()) > sum(
            p.numel() for p in tiny_network().parameters()
        )
        with torch.no_grad():
            a, b = fresh(collate([graph])), fresh(collate([other]))
        torch.testing.assert_close(
            a["elasticity_tensor"], b["elasticity_tensor"], rtol=1e-12, atol=0
        )


def test_unknown_class_mode():
    with pytest.raises(ValueError, match="gated"):
        TensorNetwork(Architecture(class_mode="gated"))


def test_radial_functions_vanish_smoothly_at_the_cutoff():
    cutoff, steps = 5.0, torch.tensor([4e-2, 2e-2, 1e-2], dtype=torch.float64)
    inside = bessel_basis(cutoff - steps, cutoff, 6)
    # value, slope and curvature vanish: halving the distance to the cutoff leaves about 1/8 or,
    # as the waves vanish there too, less
    assert (inside[1:].abs() < 0.14 * inside[:-1].abs()).all()
    assert (inside != 0).all()
    assert (bessel_basis(cutoff + steps, cutoff, 6) == 0).all()
    assert bessel_basis(torch.tensor([1.9]).double(), cutoff, 6).abs().min() > 0.1


def test_prediction_is_smooth_when_a_neighbour_leaves_the_cutoff():
    """Along a path on which bonds cross the cutoff, neither the tensor nor its slope jumps."""
    network = tiny_network().double()
    atoms, step = CRYSTALS["triclinic"].copy(), 2e-4
    distances = np.linalg.norm(build_graph(atoms, 5.4, np.zeros(3, int)).vector, axis=1)
    bond = np.sort(distances[distances > 5.05])[0]
    stiffness, edges = [], []
    for i in range(-6, 7):
        strained = atoms.copy()
        strained.set_cell(atoms.cell * (5.0 / bond + i * step), scale_atoms=True)
        graph = build_graph(strained, 5.0, np.ones(3, int))
        edges.append(len(graph.sender))
        with torch.no_grad():
            stiffness.append(network(collate([graph]))["elasticity_tensor"][0].numpy())
    assert edges[0] > edges[-1]
    slope = np.diff(stiffness, axis=0) / step
    scale = np.linalg.norm(slope, axis=(1, 2)).mean()
    assert scale > 0.1 * np.linalg.norm(stiffness[0])
    jump = np.linalg.norm(np.diff(slope, axis=0), axis=(1, 2))
    assert jump.max() < 20 * np.median(jump)
    assert jump.max() < 0.02 * scale


def test_unused_slots_are_null():
    graph = collate([graph_of(tiny_network(), CRYSTALS["quartz"])])
    edges = EdgeBasis(5.0, 4, 4)(graph, torch.float64)
    distance = graph.vector.norm(dim=1)
    used = distance < 5.0
    assert not used.all()
    radial = torch.cat([block.radial.flatten(0, 1) for block in edges])
    assert not radial[~used].any()
    torch.testing.assert_close(radial, bessel_basis(distance, 5.0, 4))
    for block in edges:
        torch.testing.assert_close(block.harmonics[0], torch.ones_like(block.harmonics[0]))
        assert [y.shape[2] for y in block.harmonics] == [1, 3, 5, 7, 9]


def test_default_dtype_of_torch_plays_no_role(network64):
    """A network built and run under another default dtype is the same network."""
    (expected,) = bare(network64, CRYSTALS["quartz"])
    single = tiny_network(class_mode="full")
    torch.set_default_dtype(torch.float64)
    built = TensorNetwork(network64.architecture)
    assert {p.dtype for p in built.parameters()} == {torch.float32}
    built.double().load_state_dict(network64.state_dict())
    assert_same(bare(built, CRYSTALS["quartz"])[0], expected, 1e-12)
    assert_same(bare(single, CRYSTALS["quartz"])[0], expected, 1e-4)
    assert torch.get_default_dtype() == torch.float64


@pytest.mark.parametrize("size", [1e-3, 1.0, 10.0, 1e3])
def test_tensors_are_physical_for_adversarial_weights(dtype, size):
    """Weights that are random and far too large, up to where the features overflow."""
    size = min(size, 30.0) if dtype == torch.float32 else size
    network = tiny_network(noise=size, class_mode="full").to(dtype)
    for atoms, out in zip(CRYSTALS.values(), bare(network, *CRYSTALS.values()), strict=True):
        assert np.linalg.eigvalsh(out["elasticity_tensor"])[0] > 0, atoms
        assert np.linalg.eigvalsh(out["compliance_tensor"])[0] > 0, atoms
        assert np.linalg.eigvalsh(out["electronic_dielectric_tensor"])[0] > 1, atoms
        assert (
            np.linalg.eigvalsh(out["dielectric_tensor"] - out["electronic_dielectric_tensor"])[0]
            > 0
        ), atoms


def test_gradients_are_finite_on_cubic_crystals():
    network = tiny_network(class_mode="gate").requires_grad_(True)
    out = network(collate([graph_of(network, atoms) for atoms in CUBIC.values()]))
    sum((out[name] ** 2).sum() for name in TENSORS).backward()
    gradients = [p.grad for n, p in network.named_parameters() if "formation_energy" not in n]
    assert all(torch.isfinite(g).all() for g in gradients)
    assert sum(float(g.abs().sum()) for g in gradients) > 0


def test_a_prediction_before_a_training_leaves_no_inference_tensors():
    for table in (clebsch_gordan, rank2_basis, stiffness_basis):
        table.cache_clear()
    network = tiny_network().requires_grad_(True)
    graph = collate([graph_of(network, CRYSTALS["quartz"])])
    with torch.inference_mode():
        network(graph)
    sum(network(graph)[name].sum() for name in TENSORS).backward()


def test_turned_crystal_is_another_crystal():
    """Guards the tests above: the helper moves the atoms, and tensors that ignore it fail."""
    atoms, q = CRYSTALS["rutile"], orthogonal(1)
    network = tiny_network()
    assert relative(turned(atoms, q).positions, atoms.positions) > 0.1
    with pytest.raises(AssertionError):
        assert_equivariant(lambda a: bare(network, atoms)[0], atoms, q, 1e-5)
