"""Notation, irreps, moduli and projection against pymatgen, e3nn and explicit formulas."""

from itertools import product

import numpy as np
import pytest
import torch
from crystals import CRYSTALS, POINT_GROUPS, crystal_of_point_group
from e3nn import o3
from equivariance import MOVES, orthogonal
from pymatgen.core.elasticity import ComplianceTensor, ElasticTensor, Strain

from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.network.harmonics import spherical_harmonics
from ase_eqtensor.tensors import notation as nt
from ase_eqtensor.tensors.forms import MANDEL, SYMMETRIC
from ase_eqtensor.tensors.irreps import (
    RANK2,
    STIFFNESS,
    dimension,
    parse_irreps,
    rank2_basis,
    stiffness_basis,
)
from ase_eqtensor.tensors.moduli import hill_average, reuss_average, voigt_average
from ase_eqtensor.tensors.wigner import TABLE, clebsch_gordan

RNG = np.random.default_rng(0)
START = RNG.bit_generator.state
# Numbers of independent constants (Nye, Physical Properties of Crystals, 1957).
INDEPENDENT = {
    "1": 21, "-1": 21, "2": 13, "m": 13, "2/m": 13, "222": 9, "mm2": 9, "mmm": 9,
    "4": 7, "-4": 7, "4/m": 7, "422": 6, "4mm": 6, "-42m": 6, "4/mmm": 6, "3": 7, "-3": 7,
    "32": 6, "3m": 6, "-3m": 6, "6": 5, "-6": 5, "6/m": 5, "622": 5, "6mm": 5, "-6m2": 5,
    "6/mmm": 5, "23": 3, "m-3": 3, "432": 3, "-43m": 3, "m-3m": 3,
}  # fmt: skip
INDEPENDENT_RANK2 = {21: 6, 13: 4, 9: 3, 7: 2, 6: 2, 5: 2, 3: 1}


@pytest.fixture(autouse=True)
def same_numbers():
    """Every test draws the same numbers, whichever tests ran before it in its process."""
    RNG.bit_generator.state = START


def random_stiffness(*batch: int) -> np.ndarray:
    """Symmetric Voigt matrices without any further symmetry, positive definite in Mandel form."""
    root = RNG.normal(size=(*batch, 6, 6))
    return nt.mandel_to_voigt(root @ np.swapaxes(root, -1, -2) + 0.5 * np.eye(6))


def rotate_rank4(tensor: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.einsum("ai,bj,ck,dl,ijkl->abcd", q, q, q, q, tensor, optimize=True)


def test_voigt_and_cartesian_agree_with_pymatgen():
    voigt = random_stiffness()
    cartesian = nt.voigt_to_cartesian(voigt)
    np.testing.assert_array_equal(cartesian, np.asarray(ElasticTensor.from_voigt(voigt)))
    np.testing.assert_allclose(nt.cartesian_to_voigt(cartesian), voigt, rtol=1e-14)
    np.testing.assert_allclose(ElasticTensor(cartesian).voigt, voigt, rtol=1e-14)


def test_cartesian_to_voigt_averages_over_minor_and_major_symmetry():
    raw = RNG.normal(size=(3, 3, 3, 3))
    orders = ["ijkl", "jikl", "ijlk", "jilk", "klij", "lkij", "klji", "lkji"]
    averaged = np.mean([np.einsum(f"ijkl->{o}", raw) for o in orders], axis=0)
    np.testing.assert_allclose(
        nt.cartesian_to_voigt(raw), ElasticTensor(averaged).voigt, atol=1e-14
    )


def test_conversions_take_batches():
    voigt = random_stiffness(2, 3)
    cartesian = nt.voigt_to_cartesian(voigt)
    assert cartesian.shape == (2, 3, 3, 3, 3, 3)
    np.testing.assert_array_equal(cartesian[1, 2], nt.voigt_to_cartesian(voigt[1, 2]))
    np.testing.assert_allclose(nt.cartesian_to_voigt(cartesian), voigt, rtol=1e-14)
    q = np.stack([orthogonal(1), orthogonal(2)])
    rotated = nt.rotate_stiffness(voigt[:, 0], q)
    np.testing.assert_allclose(rotated[1], nt.rotate_stiffness(voigt[1, 0], q[1]), rtol=1e-12)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_mandel_is_the_norm_preserving_form(kind):
    voigt = random_stiffness()
    given = torch.from_numpy(voigt) if kind == "torch" else voigt
    mandel = nt.voigt_to_mandel(given)
    assert type(mandel) is type(given)
    np.testing.assert_allclose(nt.mandel_to_voigt(mandel), voigt, rtol=1e-14)
    norm = np.linalg.norm(nt.voigt_to_cartesian(voigt))
    assert np.linalg.norm(np.asarray(mandel)) == pytest.approx(norm, rel=1e-14)
    # one entry of every kind, written out
    assert float(mandel[0, 1]) == voigt[0, 1]
    assert float(mandel[2, 3]) == pytest.approx(2**0.5 * voigt[2, 3])
    assert float(mandel[5, 4]) == pytest.approx(2 * voigt[5, 4])


def test_compliance_agrees_with_pymatgen():
    voigt = random_stiffness()
    expected = ElasticTensor.from_voigt(voigt).compliance_tensor
    mandel = np.linalg.inv(nt.voigt_to_mandel(voigt))
    compliance = nt.compliance_mandel_to_voigt(mandel)
    np.testing.assert_allclose(compliance, expected.voigt, rtol=1e-10)
    np.testing.assert_allclose(compliance @ voigt, np.eye(6), atol=1e-10)
    np.testing.assert_allclose(nt.compliance_voigt_to_mandel(compliance), mandel, rtol=1e-14)
    np.testing.assert_allclose(
        np.asarray(ComplianceTensor.from_voigt(compliance)), np.asarray(expected), rtol=1e-10
    )


def test_hookes_law_in_all_notations():
    voigt = random_stiffness()
    strain = Strain(np.array([[1.0, 0.3, -0.2], [0.3, -0.5, 0.4], [-0.2, 0.4, 0.8]]))
    stress = np.einsum("ijkl,kl->ij", nt.voigt_to_cartesian(voigt), strain)
    rows, cols = np.array(nt.VOIGT_PAIRS).T
    np.testing.assert_allclose(voigt @ strain.voigt, stress[rows, cols], rtol=1e-13)
    vector = np.einsum("Iij,ij->I", nt.MANDEL_MATRICES, strain)
    np.testing.assert_allclose(
        np.einsum("I,Iij->ij", nt.voigt_to_mandel(voigt) @ vector, nt.MANDEL_MATRICES),
        stress, rtol=1e-13,
    )  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
def test_rotations_against_explicit_rank_4(move):
    q, voigt = MOVES[move], random_stiffness()
    expected = ElasticTensor(rotate_rank4(nt.voigt_to_cartesian(voigt), q)).voigt
    np.testing.assert_allclose(nt.rotate_stiffness(voigt, q), expected, atol=1e-13)
    m = nt.mandel_rotation(q)
    np.testing.assert_allclose(m @ m.T, np.eye(6), atol=1e-14)
    np.testing.assert_allclose(nt.mandel_rotation(orthogonal(3)) @ m,
                               nt.mandel_rotation(orthogonal(3) @ q), atol=1e-14)  # fmt: skip
    tensor = RNG.normal(size=(3, 3))
    np.testing.assert_allclose(
        nt.rotate_rank2(tensor, q), np.einsum("ai,bj,ij->ab", q, q, tensor), atol=1e-14
    )


@pytest.mark.parametrize("basis", [rank2_basis(), stiffness_basis()], ids=["rank 2", "stiffness"])
def test_irreps_basis_is_orthonormal_and_symmetric(basis):
    gram = torch.einsum("iab,jab->ij", basis, basis)
    torch.testing.assert_close(gram, torch.eye(len(basis), dtype=torch.float64), atol=1e-14, rtol=0)
    torch.testing.assert_close(basis, basis.transpose(1, 2), atol=1e-15, rtol=0)
    size = basis.shape[1]
    assert len(basis) == size * (size + 1) // 2  # complete


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(
    "irreps, basis",
    [(RANK2, rank2_basis()), (STIFFNESS, stiffness_basis())],
    ids=["rank 2", "stiffness"],
)
def test_irreps_turn_with_e3nns_matrices(irreps, basis, move):
    q = MOVES[move]
    action = q if basis.shape[1] == 3 else nt.mandel_rotation(q)
    named = o3.Irreps([(multiplicity, (l, 1)) for l, multiplicity in irreps.items()])
    assert named.dim == dimension(irreps) == len(basis)
    d = named.D_from_matrix(torch.from_numpy(q)).double().numpy()
    turned = action @ basis.numpy() @ action.T
    np.testing.assert_allclose(turned, np.einsum("ji,jab->iab", d, basis.numpy()), atol=1e-6)


@pytest.mark.parametrize("text", ["64x0e + 32x1o+32x2e", "4e+0e", "2x0e + 3x0e + 1x1o"])
def test_irreps_are_read_like_e3nn_reads_them(text):
    expected = {ir.l: mul for mul, ir in o3.Irreps(text).sort().irreps.simplify()}
    assert parse_irreps(text) == expected
    assert list(parse_irreps(text)) == sorted(expected)


@pytest.mark.parametrize("text", ["8x0o + 4x1o", "8x0e + 4x1e", "4x1o", "", "8x0", "0x0e+1x1o"])
def test_other_irreps_are_refused(text):
    with pytest.raises(ValueError, match="natural parity|missing"):
        parse_irreps(text)


def test_table_of_symbols_is_e3nns():
    count = 0
    for l1, l2, l3 in product(range(5), repeat=3):
        if abs(l1 - l2) <= l3 <= l1 + l2:
            expected = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
            torch.testing.assert_close(clebsch_gordan(l1, l2, l3), expected, atol=1e-14, rtol=0)
            count += 1
    assert count + 4 == len(np.load(TABLE))  # and those that lead to the harmonics of l = 8
    expected = o3.wigner_3j(1, 5, 6, dtype=torch.float64)  # beyond the table
    torch.testing.assert_close(clebsch_gordan(1, 5, 6), expected, atol=1e-14, rtol=0)


def test_harmonics_are_e3nns():
    vectors = torch.from_numpy(RNG.normal(size=(50, 3)) * 3)
    for l, y in enumerate(spherical_harmonics(vectors, 6)):
        expected = o3.spherical_harmonics(l, vectors, True, "component")
        torch.testing.assert_close(y, expected, atol=1e-12, rtol=0)


def test_irreps_are_spherical_harmonics_exactly():
    """nn and nnnn of unit vectors n have components proportional to Y_l(n); in float64, because
    e3nn's D matrices are accurate to single precision only."""
    n = RNG.normal(size=(50, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    rank2 = n[:, :, None] * n[:, None, :]
    mandel = np.einsum("Iij,nij->nI", nt.MANDEL_MATRICES, rank2)
    y = {l: o3.spherical_harmonics(l, torch.from_numpy(n), True, "norm").numpy() for l in (2, 4)}
    two = np.einsum("iab,nab->ni", rank2_basis(), rank2)[:, 1:]
    four = np.einsum("iab,na,nb->ni", stiffness_basis(), mandel, mandel)
    for part, l in [(two, 2), (four[:, 2:7], 2), (four[:, 7:12], 2), (four[:, 12:], 4)]:
        factor = (part[0] @ y[l][0]) / (y[l][0] @ y[l][0])
        assert abs(factor) > 0.1
        np.testing.assert_allclose(part, factor * y[l], atol=1e-13)


def test_scalars_of_the_stiffness_are_bulk_and_shear_modulus():
    k, g = 110.0, 45.0
    isotropic = ElasticTensor.from_voigt(
        np.diag([2.0 * g] * 3 + [g] * 3) + np.pad(np.full((3, 3), k - 2 * g / 3), (0, 3))
    )
    mandel = torch.from_numpy(nt.voigt_to_mandel(np.array(isotropic.voigt)))
    components = torch.einsum("iab,ab->i", stiffness_basis(), mandel).numpy()
    expected = np.zeros(21)
    expected[:2] = 3 * k, 5**0.5 * 2 * g
    np.testing.assert_allclose(components, expected, atol=1e-12)


def test_moduli_agree_with_pymatgen():
    voigt = random_stiffness(4)
    mandel = torch.from_numpy(nt.voigt_to_mandel(voigt))
    tensors = [ElasticTensor.from_voigt(c) for c in voigt]
    kv, gv = voigt_average(mandel)
    kr, gr = reuss_average(torch.linalg.inv(mandel))
    k, g = hill_average(mandel)
    for ours, name in [(kv, "k_voigt"), (gv, "g_voigt"), (kr, "k_reuss"), (gr, "g_reuss"),
                       (k, "k_vrh"), (g, "g_vrh")]:  # fmt: skip
        np.testing.assert_allclose(ours, [getattr(t, name) for t in tensors], rtol=1e-10)
    given = hill_average(mandel, torch.linalg.inv(mandel))
    torch.testing.assert_close(given, (k, g), rtol=1e-12, atol=0)


@pytest.mark.parametrize("symbol", POINT_GROUPS)
def test_projection_leaves_the_independent_constants_of_each_point_group(symbol):
    _, group = crystal_of_point_group(symbol)
    voigt, rank2 = random_stiffness(), nt.rotate_rank2(np.diag([1.0, 2.0, 4.0]), orthogonal(5))
    projected = nt.project_stiffness(voigt, group)
    images = nt.rotate_stiffness(projected, group)
    np.testing.assert_allclose(images, np.broadcast_to(projected, images.shape), atol=1e-12)
    np.testing.assert_allclose(nt.project_stiffness(projected, group), projected, atol=1e-12)
    assert np.linalg.eigvalsh(nt.voigt_to_mandel(projected))[0] > 0
    # the projector's rank is the number of independent constants
    projector = np.array([nt.voigt_to_mandel(nt.project_stiffness(nt.mandel_to_voigt(b), group))
                          for b in stiffness_basis().numpy()]).reshape(21, 36)  # fmt: skip
    assert np.linalg.matrix_rank(projector, tol=1e-9) == INDEPENDENT[symbol]
    projector = np.array([nt.project_rank2(b, group) for b in rank2_basis().numpy()])
    expected = INDEPENDENT_RANK2[INDEPENDENT[symbol]]
    assert np.linalg.matrix_rank(projector.reshape(6, 9), tol=1e-9) == expected
    average = nt.project_rank2(rank2, group)
    np.testing.assert_allclose(
        nt.rotate_rank2(average, group), np.broadcast_to(average, group.shape), atol=1e-12
    )


@pytest.mark.parametrize("name", CRYSTALS)
def test_average_of_the_prediction_is_the_projection(name):
    group = analyse(CRYSTALS[name]).rotations
    voigt = random_stiffness()
    averaged = MANDEL.group_averages(nt.voigt_to_mandel(voigt)[None], [group])[0]
    expected = nt.project_stiffness(voigt, group)
    np.testing.assert_allclose(nt.mandel_to_voigt(averaged), expected, atol=1e-12)
    rank2 = np.diag([1.0, 2.0, 4.0])
    averaged = SYMMETRIC.group_averages(rank2[None], [group])[0]
    np.testing.assert_allclose(averaged, nt.project_rank2(rank2, group), atol=1e-13)
