"""Losses of the targets.

Tensors are scored by their relative Frobenius error |P - T|/|T|, the figure that is reported,
plus the same for the anisotropic part alone, which the whole hides (an isotropic guess is already
good in the whole). Positive scalars are scored by the error of their logarithm.
"""

import torch

from ase_eqtensor.tensors.irreps import rank2_basis, stiffness_basis
from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import GPA

ENERGY_SCALE = 0.1  # eV/atom; makes an energy error comparable with a relative error


def isotropic_part(tensor: torch.Tensor) -> torch.Tensor:
    """Isotropic part of (B, 3, 3) or Mandel (B, 6, 6) tensors: projection on the scalar irreps."""
    basis = rank2_basis()[:1] if tensor.shape[-1] == 3 else stiffness_basis()[:2]
    basis = basis.to(tensor)
    return torch.einsum("iab,icd,...cd->...ab", basis, basis, tensor)


def relative_error(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """|P - T| / |T| per crystal (B,), Frobenius norms."""
    # the tiny floor keeps the gradient of the norm finite at an exact hit
    difference = (predicted - target).square().sum((-2, -1)) + 1e-12 * target.square().sum((-2, -1))
    return difference.sqrt() / target.norm(dim=(-2, -1))


def tensor_loss(predicted: torch.Tensor, target: torch.Tensor, anisotropy: float) -> torch.Tensor:
    """Mean relative error plus `anisotropy` times that of the anisotropic part."""
    norm = target.norm(dim=(-2, -1), keepdim=True)
    p, t = predicted / norm, target / norm
    whole = relative_error(p, t)
    directional = (p - isotropic_part(p)) - (t - isotropic_part(t))
    directional = (directional.square().sum((-2, -1)) + 1e-12).sqrt()
    return (whole + anisotropy * directional).mean()


def moduli_error(output: dict[str, torch.Tensor], index: torch.Tensor, value: torch.Tensor):
    """|ln K_p/K| and |ln G_p/G| (n, 2) of the predicted stiffness; `value` (n, 2) in GPa."""
    k, g = hill_average(output["stiffness"][index], output["compliance"][index])
    return (torch.stack([k, g], 1) / (value * GPA)).log().abs()


def crystal_errors(
    output: dict[str, torch.Tensor], targets: dict[str, tuple[torch.Tensor, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    """Error of each crystal (n,) by target: relative for tensors, mean of |ln K_p/K| and
    |ln G_p/G| for moduli, eV/atom for the formation energy."""
    errors = {}
    for name, (index, value) in targets.items():
        if name == "moduli":
            errors[name] = moduli_error(output, index, value).mean(1)
        elif name == "formation_energy":
            errors[name] = (output[name][index] - value).abs()
        else:
            errors[name] = relative_error(output[name][index], value)
    return errors


def target_losses(
    output: dict[str, torch.Tensor],
    targets: dict[str, tuple[torch.Tensor, torch.Tensor]],
    anisotropy: float,
) -> dict[str, torch.Tensor]:
    """Mean loss of every target that occurs in the batch."""
    losses = {}
    for name, (index, value) in targets.items():
        if name == "moduli":
            losses[name] = moduli_error(output, index, value).mean()
        elif name == "formation_energy":
            losses[name] = (output[name][index] - value).abs().mean() / ENERGY_SCALE
        else:
            losses[name] = tensor_loss(output[name][index], value, anisotropy)
    return losses
