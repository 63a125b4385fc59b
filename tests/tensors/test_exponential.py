"""The bounded exponential map: valid tensors and finite gradients whatever the weights are."""

import numpy as np
import pytest
import torch

from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.tensors.exponential import (
    LOG_BOUND,
    bound_norm,
    exponential,
    exponentials,
    symmetric_matrix,
)
from ase_eqtensor.tensors.irreps import rank2_basis, stiffness_basis

STIFFNESS_REFERENCE = torch.tensor([0.6, -1.1] + [0.0] * 19, dtype=torch.float64)
RANK2_REFERENCE = torch.tensor([2.4] + [0.0] * 5, dtype=torch.float64)
SCALES = [0.0, 1e-30, 1.0, 3.0, 1e3, 1e30]


def tensors(scale: float, spread: bool, count: int = 50) -> dict[str, torch.Tensor]:
    """Outputs of the network for random float32 components of the heads of a given size."""
    generator = torch.Generator().manual_seed(0)

    def matrix(basis, reference):
        components = scale * torch.randn(count, len(basis), generator=generator)
        if spread:  # components of very different size
            components *= 10 ** (6 * torch.rand(count, len(basis), generator=generator) - 3)
        return symmetric_matrix(components, basis, reference)

    return TensorNetwork.tensors(
        {
            "stiffness": matrix(stiffness_basis(), STIFFNESS_REFERENCE),
            "electronic": matrix(rank2_basis(), RANK2_REFERENCE),
            "ionic": matrix(rank2_basis(), RANK2_REFERENCE),
            "formation_energy": torch.zeros(count),
        }
    )


@pytest.mark.parametrize("spread", [False, True], ids=["even", "spread"])
@pytest.mark.parametrize("scale", SCALES)
def test_tensors_are_physical_for_any_component(scale, spread):
    out = {k: v.numpy() for k, v in tensors(scale, spread).items()}
    for name in (
        "elasticity_tensor",
        "compliance_tensor",
        "electronic_dielectric_tensor",
        "dielectric_tensor",
    ):
        np.testing.assert_array_equal(out[name], out[name].transpose(0, 2, 1))
    assert np.linalg.eigvalsh(out["elasticity_tensor"]).min() > 0
    assert np.linalg.eigvalsh(out["compliance_tensor"]).min() > 0
    assert np.linalg.eigvalsh(out["electronic_dielectric_tensor"]).min() > 1
    assert (
        np.linalg.eigvalsh(out["dielectric_tensor"] - out["electronic_dielectric_tensor"]).min() > 0
    )
    # exact inverses up to the rounding that the condition number allows
    product = out["elasticity_tensor"] @ out["compliance_tensor"] - np.eye(6)
    size = np.linalg.norm(out["elasticity_tensor"], axis=(1, 2)) * np.linalg.norm(
        out["compliance_tensor"], axis=(1, 2)
    )
    assert (np.linalg.norm(product, axis=(1, 2)) / size).max() < 1e-13


def test_ordinary_stiffness_and_compliance_are_inverse():
    out = tensors(0.5, spread=False)
    product = out["elasticity_tensor"] @ out["compliance_tensor"]
    torch.testing.assert_close(product, torch.eye(6).double().expand(50, 6, 6), atol=1e-11, rtol=0)


def test_bound_is_smooth_and_keeps_the_direction():
    x = torch.randn(20, 21, dtype=torch.float64)
    torch.testing.assert_close(bound_norm(1e-6 * x), 1e-6 * x, rtol=1e-10, atol=0)
    for scale in (1.0, 1e3, 1e30, 1e150):
        bounded = bound_norm(scale * x)
        expected = (
            scale
            * x
            * LOG_BOUND
            / torch.hypot((scale * x).norm(dim=1, keepdim=True), torch.tensor(LOG_BOUND).double())
        )
        torch.testing.assert_close(bounded, expected, rtol=1e-12, atol=0)
        assert bounded.norm(dim=1).max() <= LOG_BOUND * (1 + 1e-12)
    small = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(bound_norm, 8 * small)


def test_exponential_against_eigenvalues():
    root = torch.randn(10, 6, 6, dtype=torch.float64)
    matrix = root + root.transpose(1, 2)
    values, vectors = torch.linalg.eigh(matrix)
    expected = vectors @ torch.diag_embed(values.exp()) @ vectors.transpose(1, 2)
    torch.testing.assert_close(exponential(matrix), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3, 1e30])
def test_gradients_are_finite_at_repeated_eigenvalues_and_for_huge_components(scale):
    components = torch.zeros(2, 21)
    components[:, 0] = scale
    components[1, 1] = -scale  # two different eigenvalues, five-fold
    components.requires_grad_()
    basis = stiffness_basis()
    (exponential(symmetric_matrix(components, basis, STIFFNESS_REFERENCE)) ** 2).sum().backward()
    assert torch.isfinite(components.grad).all()
    if scale <= 1:
        assert components.grad.abs().sum() > 0


def test_gradient_at_repeated_eigenvalues_is_right():
    """d exp(A) at A = 0 is the identity map; differentiating through eigh would give NaN."""
    components = torch.zeros(1, 6, dtype=torch.float64, requires_grad=True)
    reference = torch.zeros(6, dtype=torch.float64)
    basis = rank2_basis()
    direction = torch.tensor([[0.0, 1.0, 2.0], [1.0, 3.0, 0.0], [2.0, 0.0, 5.0]]).double()
    (exponential(symmetric_matrix(components, basis, reference))[0] * direction).sum().backward()
    expected = torch.einsum("iab,ab->i", basis, direction)
    torch.testing.assert_close(components.grad[0], expected, rtol=1e-12, atol=1e-12)


def test_exponentials_together_are_those_alone():
    shapes = {"a": (4, 6, 6), "b": (4, 3, 3), "c": (4, 6, 6), "d": (2, 4, 3, 3)}
    roots = {name: torch.randn(shape, dtype=torch.float64) for name, shape in shapes.items()}
    matrices = {name: root + root.mT for name, root in roots.items()}
    together = exponentials(matrices)
    assert together.keys() == matrices.keys()
    for name, matrix in matrices.items():
        torch.testing.assert_close(together[name], exponential(matrix), rtol=1e-13, atol=1e-13)
