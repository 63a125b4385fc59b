"""Forms: orthonormal arrays on which rotations act orthogonally."""

import numpy as np
import pytest
import torch
from crystals import POINT_GROUPS, crystal_of_point_group
from equivariance import MOVES

from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.quantities import Density, heads, offered, scalars
from ase_eqtensor.tensors.forms import MANDEL, NUMBER, SYMMETRIC, VECTOR_MANDEL

FORMS = pytest.mark.parametrize(
    "form",
    [NUMBER, SYMMETRIC, MANDEL, VECTOR_MANDEL],
    ids=["0", "rank 2", "elastic", "piezoelectric"],
)


def arrays(form, count: int = 5) -> np.ndarray:
    """Random arrays (count, *shape) of a form."""
    n = sum(k * (2 * l + 1) for l, k in form.irreps.items())
    return form.array(np.random.default_rng(2).normal(size=(count, n)))


@FORMS
def test_components_are_those_of_an_orthonormal_basis(form):
    x = arrays(form)
    assert x.shape == (5, *form.shape)
    components = form.components(x)
    np.testing.assert_allclose(form.array(components), x, atol=1e-14)
    sizes = np.linalg.norm(x.reshape(5, -1), axis=1)
    np.testing.assert_allclose(np.linalg.norm(components, axis=1), sizes)
    joined = np.concatenate(list(form.by_degree(x).values()), axis=1)
    np.testing.assert_allclose(joined, components)


@FORMS
@pytest.mark.parametrize("move", MOVES)
def test_rotations_keep_norm_degree_and_isotropic_part(form, move):
    x = arrays(form)
    turned = form.rotate(x, MOVES[move])
    for l, part in form.by_degree(turned).items():
        before = np.linalg.norm(form.by_degree(x)[l], axis=1)
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), before)
    assert form.odd == (not np.allclose(form.rotate(x, -np.eye(3)), x))
    scalar = form.scalars
    np.testing.assert_allclose(form.components(turned)[:, :scalar], form.components(x)[:, :scalar])
    flat = form.isotropic_part(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(form.rotate(flat, MOVES[move]), flat, atol=1e-13)


@FORMS
@pytest.mark.parametrize("symbol", ["1", "-1", "mm2", "-42m", "3m", "622", "m-3m"])
def test_group_averages_are_invariant(form, symbol):
    assert symbol in POINT_GROUPS
    group = crystal_of_point_group(symbol)[1]
    x = arrays(form, 2)
    averages = form.group_averages(x, [group, np.eye(3)[None]])
    for rotation in group:
        np.testing.assert_allclose(form.rotate(averages[0], rotation), averages[0], atol=1e-10)
    np.testing.assert_allclose(averages[1], x[1], atol=1e-14)


@pytest.mark.parametrize("name", offered())
def test_declarations_fit_together(name):
    """Heads make the tensor, the tensor gives back what the heads said, in the user's form too."""
    quantity = offered()[name]
    outputs = {n: torch.from_numpy(0.3 * arrays(head.form)) for n, head in heads().items()}
    tensors = {n: value.numpy() for n, value in TensorNetwork.tensors(outputs).items()}
    tensor = tensors[name]
    np.testing.assert_allclose(quantity.from_ase(quantity.to_ase(tensor)), tensor, atol=1e-12)
    if quantity.least_eigenvalue is not None:
        assert np.linalg.eigvalsh(tensor).min() > quantity.least_eigenvalue
    if quantity.inverse_of:
        product = tensor @ tensors[quantity.inverse_of.name]
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(6), product.shape), atol=1e-10)
    for head in quantity.heads:
        array = head.of({n: values[0] for n, values in tensors.items()})
        expected = outputs[head.name][0]
        expected = torch.linalg.matrix_exp(expected) if head.logarithm else expected
        np.testing.assert_allclose(array, expected.numpy(), atol=1e-10)


@pytest.mark.parametrize("move", MOVES)
def test_scalars_do_not_depend_on_the_frame(move):
    atoms = crystal_of_point_group("1")[0]
    rng = np.random.default_rng(3)
    tensors = {}
    for name, quantity in offered().items():
        root = rng.normal(size=quantity.shape)
        square = quantity.shape[0] == quantity.shape[1]
        tensors[name] = quantity.to_ase(root @ root.T + 2 * np.eye(len(root)) if square else root)
    turned = {n: offered()[n].rotate(tensor, MOVES[move]) for n, tensor in tensors.items()}
    values = scalars(tensors, atoms)
    assert scalars(turned, atoms) == pytest.approx(values)
    for quantity in offered().values():
        for scalar in quantity.scalars:
            assert scalar.least is None or values[scalar.name] > scalar.least


def test_crystals_without_a_scalar_have_nan_and_do_not_spoil_the_others():
    quantity = offered()["elasticity_tensor"]
    stable, broken, unstable = np.eye(6), np.full((6, 6), np.nan), np.diag([1.0] * 5 + [-0.1])
    some = np.full(3, 0.1)
    values = quantity.scalar_values(np.stack([stable, broken, unstable]), Density(some, some))
    assert np.isfinite(values["debye_k"]).tolist() == [True, False, False]
    assert np.isfinite(values["least_eigenvalue_gpa"]).tolist() == [True, False, True]
