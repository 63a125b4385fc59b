"""Figures of merit and losses against values worked out by hand."""

import numpy as np
import pytest
import torch
from equivariance import orthogonal
from pymatgen.core.elasticity import ElasticTensor

from ase_eqtensor.quantities import Density
from ase_eqtensor.tensors.comparison import relative_errors, relative_loss
from ase_eqtensor.tensors.forms import MANDEL, SYMMETRIC, Form
from ase_eqtensor.tensors.irreps import stiffness_basis
from ase_eqtensor.tensors.notation import GPA, mandel_rotation, mandel_to_voigt
from ase_eqtensor.train.targets import targets
from ase_eqtensor.train.targets.base import tensor_loss
from ase_eqtensor.train.targets.formation_energy import ENERGY_SCALE
from ase_eqtensor.train.targets.metrics import anisotropic_skill, isotropic_oracle, summary

RNG = np.random.default_rng(0)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def same_numbers():
    """Every test draws the same numbers, whichever tests ran before it in its process."""
    RNG.bit_generator.state = START


def stiffnesses(count: int) -> np.ndarray:
    """Positive definite Mandel matrices in eV/Å^3 without symmetry."""
    root = RNG.normal(size=(count, 6, 6))
    return root @ root.transpose(0, 2, 1) + 0.3 * np.eye(6)


def permittivities(count: int) -> np.ndarray:
    root = RNG.normal(size=(count, 3, 3))
    return root @ root.transpose(0, 2, 1) + np.eye(3)


def form(tensors) -> Form:
    return SYMMETRIC if tensors.shape[-1] == 3 else MANDEL


def figures_of(name: str, predicted: np.ndarray, true: np.ndarray) -> dict:
    """Figures of a target for crystals of some density."""
    some = np.full(len(true), 0.1)
    return targets()[name].figures(predicted, true, Density(some, some))


def isotropic(tensors: np.ndarray) -> np.ndarray:
    """The isotropic part as an average over many random rotations would give: by pymatgen's
    Voigt averages for the stiffness, by the trace for the rest."""
    if tensors.shape[-1] == 3:
        return np.trace(tensors, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    out = []
    for voigt in mandel_to_voigt(tensors):
        elastic = ElasticTensor.from_voigt(voigt)
        k, g = elastic.k_voigt, elastic.g_voigt
        c = 2 * g * np.eye(6)
        c[:3, :3] += k - 2 * g / 3
        out.append(c)
    return np.array(out)


both = pytest.mark.parametrize("make", [stiffnesses, permittivities])


@both
def test_relative_error(make):
    target = make(5)
    np.testing.assert_allclose(relative_errors(1.1 * target, target), 0.1)
    assert relative_errors(target, target).max() == 0
    assert relative_errors(0 * target, target) == pytest.approx(np.ones(5))


@both
def test_isotropic_part(make):
    tensors = make(4)
    ours = form(tensors).isotropic_part(torch.from_numpy(tensors)).numpy()
    np.testing.assert_allclose(ours, isotropic(tensors), atol=1e-12)
    q = orthogonal(3)
    q = mandel_rotation(q) if tensors.shape[-1] == 6 else q
    np.testing.assert_allclose(q @ ours @ q.T, ours, atol=1e-12)


@both
def test_isotropic_oracle(make):
    target = make(6)
    expected = relative_errors(isotropic(target), target)
    np.testing.assert_allclose(isotropic_oracle(form(target), target), expected, rtol=1e-10)
    np.testing.assert_allclose(isotropic_oracle(form(target), isotropic(target)), 0, atol=1e-7)


@both
def test_anisotropic_skill(make):
    target = make(20)
    flat = isotropic(target)
    keys = {"all", "l2", "l4"} if target.shape[-1] == 6 else {"all", "l2"}
    assert anisotropic_skill(form(target), target, target) == dict.fromkeys(keys, 1.0)
    # an isotropic guess has no skill, however good or bad its isotropic part is
    for guess in (flat, 3 * flat, 0 * flat):
        assert anisotropic_skill(form(target), guess, target) == pytest.approx(
            dict.fromkeys(keys, 0.0), abs=1e-12
        )
    # half of the anisotropy: 1 - (1/2)^2; the opposite anisotropy: 1 - 2^2
    half = flat + (target - flat) / 2
    assert anisotropic_skill(form(target), half, target) == pytest.approx(dict.fromkeys(keys, 0.75))
    assert anisotropic_skill(form(target), 2 * flat - target, target)["all"] == pytest.approx(-3)


def test_anisotropic_skill_weighs_crystals_by_their_norm():
    """As defined: each crystal's squared error over its own |T|^2, summed before dividing."""
    target, predicted = stiffnesses(7) * np.logspace(0, 2, 7)[:, None, None], stiffnesses(7)
    weight = 1 / np.linalg.norm(target, axis=(1, 2)) ** 2
    t_an, p_an = target - isotropic(target), predicted - isotropic(predicted)
    error = (weight * np.linalg.norm(p_an - t_an, axis=(1, 2)) ** 2).sum()
    power = (weight * np.linalg.norm(t_an, axis=(1, 2)) ** 2).sum()
    skill = anisotropic_skill(MANDEL, predicted, target)
    assert skill["all"] == pytest.approx(1 - error / power)


def test_anisotropic_skill_by_degree():
    """An error in l = 4 alone leaves the skill of l = 2 at one."""
    target = stiffnesses(10)
    four = np.einsum("ni,iab->nab", MANDEL.by_degree(target)[4], stiffness_basis()[12:].numpy())
    skill = anisotropic_skill(form(target), target - four, target)
    assert skill["l2"] == pytest.approx(1) and skill["l4"] == pytest.approx(0, abs=1e-12)
    assert 0 < skill["all"] < 1


def test_skill_is_undefined_for_isotropic_targets():
    target = permittivities(3)
    assert anisotropic_skill(form(target), target, isotropic(target)) == {"all": None, "l2": None}


def test_summary():
    target = np.broadcast_to(4 * np.eye(3), (4, 3, 3))
    factors = np.array([1.02, 1.07, 1.2, 1.4])
    figures = summary(SYMMETRIC, factors[:, None, None] * target, target)
    assert figures["crystals"] == 4
    assert figures["median_relative"]["value"] == pytest.approx(0.135)
    assert figures["mean_relative"]["value"] == pytest.approx(0.1725)
    assert (figures["ewt25_percent"], figures["ewt10_percent"], figures["ewt5_percent"]) == (
        75,
        50,
        25,
    )
    for statistic in ("median_relative", "mean_relative"):
        interval = figures[statistic]
        assert 0.02 <= interval["low"] < interval["value"] < interval["high"] <= 0.4
    assert figures["isotropic_oracle"]["mean"] == pytest.approx(0, abs=1e-7)


def test_bootstrap_interval_of_the_mean_is_the_normal_one():
    errors = np.abs(RNG.normal(size=400))
    target = np.broadcast_to(np.eye(3), (400, 3, 3))
    interval = summary(SYMMETRIC, (1 + errors)[:, None, None] * target, target)["mean_relative"]
    width = 2 * 1.96 * errors.std() / 20
    assert interval["high"] - interval["low"] == pytest.approx(width, rel=0.1)


def test_stiffness_summary():
    target = stiffnesses(5)
    figures = figures_of("elasticity_tensor", 1.1 * target, target)
    tensors = [ElasticTensor.from_voigt(c / GPA) for c in mandel_to_voigt(target)]
    assert figures["k_vrh_gpa_mae"] == pytest.approx(0.1 * np.mean([t.k_vrh for t in tensors]))
    assert figures["g_vrh_gpa_mae"] == pytest.approx(0.1 * np.mean([t.g_vrh for t in tensors]))
    entries = 0.1 * np.mean([np.abs(t.voigt) for t in tensors])
    assert figures["entries_mae"] == pytest.approx(entries)
    assert figures["unphysical"] == 0
    broken = target.copy()
    broken[1] -= 2 * np.linalg.eigvalsh(broken[1])[0] * np.eye(6)
    assert figures_of("elasticity_tensor", broken, target)["unphysical"] == 1


def test_dielectric_summary():
    target = permittivities(4) + np.eye(3)
    predicted = target + np.diag([0.3, -0.6, 0.9])
    figures = figures_of("dielectric_tensor", predicted, target)
    assert figures["eps_total_mae"] == pytest.approx(0.2)
    assert figures["entries_mae"] == pytest.approx(0.2)
    predicted = np.stack([np.diag([0.9, 2, 3]), np.eye(3), np.diag([-1, 2, 2]), 2 * np.eye(3)])
    assert figures_of("dielectric_tensor", predicted, target)["unphysical"] == 2


def test_moduli_summary():
    target = np.array([[100.0, 50.0], [200.0, 100.0], [0.0, 10.0]])  # quarantined, but scored
    predicted = np.array([[110.0, 40.0], [180.0, 100.0], [30.0, 13.0]])
    figures = figures_of("moduli", predicted, target)
    assert figures == pytest.approx({
        "crystals": 3,
        "k_vrh_gpa_mae": 20.0, "k_vrh_gpa_median_relative": 0.1,
        "g_vrh_gpa_mae": 13 / 3, "g_vrh_gpa_median_relative": 0.2,
    })  # fmt: skip


def test_energy_summary():
    predicted, true = np.array([-1.0, -2.0, 0.5]), np.array([-1.0, -1.0, 1.0])
    figures = figures_of("formation_energy", predicted, true)
    assert figures == pytest.approx(
        {"crystals": 3, "mae_ev_per_atom": 0.5, "rmse_ev_per_atom": (1.25 / 3) ** 0.5}
    )


@both
def test_tensor_loss(make):
    target = torch.from_numpy(make(6))
    flat = form(target).isotropic_part(target)
    np.testing.assert_allclose(
        relative_loss(flat, target), isotropic_oracle(form(target), target.numpy()), rtol=1e-6
    )
    assert tensor_loss(form(target), target, target, 0.5) < 1e-5
    # an isotropic prediction misses the anisotropic part once in either term
    oracle = isotropic_oracle(form(target), target.numpy()).mean()
    whole = tensor_loss(form(target), flat, target, 0.5)
    assert float(whole) == pytest.approx(1.5 * oracle, rel=1e-5)
    assert float(tensor_loss(form(target), flat, target, 0.0)) == pytest.approx(oracle, rel=1e-5)
    at_target = target.clone().requires_grad_()
    tensor_loss(form(target), at_target, target, 0.5).backward()
    assert torch.isfinite(at_target.grad).all()


def test_losses_of_targets():
    stiffness = torch.from_numpy(stiffnesses(3)).requires_grad_()
    output = {
        "elasticity_tensor": stiffness,
        "compliance_tensor": torch.linalg.inv(stiffness),
        "formation_energy": torch.tensor([-1.0, -2.0, -3.0]).double(),
    }
    elastic = ElasticTensor.from_voigt(mandel_to_voigt(stiffness[1].detach().numpy()) / GPA)
    moduli = torch.tensor([[elastic.k_vrh * np.e, elastic.g_vrh]])
    known = {
        "elasticity_tensor": (torch.tensor([0]), 1.25 * stiffness[:1].detach()),
        "moduli": (torch.tensor([1]), moduli),
        "formation_energy": (torch.tensor([0, 2]), torch.tensor([-1.1, -3.3]).double()),
    }
    losses = {}
    for name, (index, value) in known.items():
        target = targets()[name]
        losses[name] = target.loss(target.predicted(output)[index], value, 0.0)
    assert losses["elasticity_tensor"].item() == pytest.approx(0.2, rel=1e-6)
    assert losses["moduli"].item() == pytest.approx(0.5)  # mean of |ln K/K0| = 1, |ln G/G0| = 0
    assert losses["formation_energy"].item() == pytest.approx(0.2 / ENERGY_SCALE)
    sum(losses.values()).backward()
    touched = stiffness.grad.abs().sum((1, 2)) > 0
    assert touched.tolist() == [True, True, False]  # the third crystal has no target
