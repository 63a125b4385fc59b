"""The static relative permittivities: of the electrons alone, and with the ions."""

from collections.abc import Mapping

import numpy as np
import torch

from ..tensors.directional import permittivity_along
from ..tensors.forms import SYMMETRIC
from ..tensors.optics import ISOTROPIC, wave_indices
from .base import POLAR, Density, Display, Head, Quantity, Scalar, Series, Surface

ELECTRONIC_NAME, TOTAL_NAME = "electronic_dielectric_tensor", "dielectric_tensor"
SECTION = "Dielectric tensors"
# How far a computed permittivity may break eps_inf >= 1, eps_total >= eps_inf. Elemental
# semiconductors have no ionic part at all, and zero has no logarithm: less than this means "none".
EPS_NOISE = 1e-3


def _trace_third(permittivity: np.ndarray, _: Density) -> np.ndarray:
    return np.einsum("bii->b", permittivity) / 3


def refractive_indices(permittivity: np.ndarray) -> np.ndarray:
    """Principal refractive indices (..., 3), ascending: roots of the eigenvalues of eps_inf.

    Those of light far below the band gap and above the lattice vibrations, in a crystal that is not
    magnetic.

    Args:
        permittivity: (..., 3, 3).
    """
    return np.sqrt(np.linalg.eigvalsh(permittivity))


def _refractive_index(permittivity: np.ndarray, _: Density) -> np.ndarray:
    return refractive_indices(permittivity).mean(axis=-1)


def _birefringence(permittivity: np.ndarray, _: Density) -> np.ndarray:
    """Greatest difference between the indices of two waves along one direction; 0 where it is no
    more than rounding."""
    indices = refractive_indices(permittivity)
    difference = np.ptp(indices, axis=-1)
    return np.where(difference < ISOTROPIC * indices[..., -1], 0.0, difference)


def _susceptibility(tensors: Mapping[str, np.ndarray]) -> np.ndarray | None:
    electronic = tensors.get(ELECTRONIC_NAME)
    return None if electronic is None else electronic - np.eye(3)


def _ionic_part(tensors: Mapping[str, np.ndarray]) -> np.ndarray | None:
    if TOTAL_NAME not in tensors or ELECTRONIC_NAME not in tensors:
        return None
    return tensors[TOTAL_NAME] - tensors[ELECTRONIC_NAME]


# polarisabilities per volume
ELECTRONS = Head("electronic", SYMMETRIC, _susceptibility, density=True)
IONS = Head(
    "ionic",
    SYMMETRIC,
    _ionic_part,
    density=True,
    distance_power=6,
    contrast_power=1,
    floor=EPS_NOISE,
)


def _electronic(heads: Mapping[str, torch.Tensor]) -> torch.Tensor:
    susceptibility = heads[ELECTRONS.name]
    return susceptibility + torch.eye(3, dtype=susceptibility.dtype, device=susceptibility.device)


def _total(heads: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """eps_inf plus the ionic part, which is exactly zero along directions without a polar mode."""
    ionic = heads[IONS.name]
    if POLAR in heads:
        polar = heads[POLAR].to(ionic)
        ionic = polar @ ionic @ polar
    return _electronic(heads) + ionic


def _ellipsoid(key: str, title: str) -> tuple[Surface, ...]:
    return (
        Surface(
            key,
            title,
            "",
            ("permittivity",),
            lambda eps, n: permittivity_along(eps, n)[..., None],
            "Ellipsoid of the displacement D/ε₀ for a unit field in every direction; its semi-axes "
            "are the principal values. Coloured by the permittivity along the field.",
            ellipsoid=True,
        ),
    )


def _indices(permittivity: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Refractive indices (..., 2), falling, of the two waves along directions (..., 3)."""
    indices = wave_indices(permittivity, directions.reshape(-1, 3))
    return indices[:, ::-1].reshape(*directions.shape[:-1], 2)


# both sheets touch where an optic axis is
INDICES = Surface(
    "refractive-index",
    "Refractive index",
    "",
    ("slower wave", "faster wave"),
    _indices,
    "Index of the two waves of light that travel along each direction; along an optic axis they "
    "are one.",
)

_ELECTRONIC_TITLE, _TOTAL_TITLE = "Electronic permittivity ε∞", "Total static permittivity ε"

ELECTRONIC = Quantity(
    name=ELECTRONIC_NAME,
    meaning="clamped-ion, high-frequency relative permittivity eps_inf",
    unit="",
    form=SYMMETRIC,
    heads=(ELECTRONS,),
    from_heads=_electronic,
    display=Display(
        _ELECTRONIC_TITLE,
        "eps_inf",
        "ε",
        "",
        1.0,
        2,
        SECTION,
        "Relative permittivities, order x y z, without unit: the electronic part with clamped "
        "ions, and the total static one at constant strain. The refractive index is the mean of "
        "the roots of the principal values of ε∞: that of light far below the band gap and above "
        "the lattice vibrations, in a crystal that is not magnetic.",
        entry="eps_inf_",
        noun="electronic permittivity",
    ),
    scalars=(
        Scalar("eps_inf", "ε∞, trace / 3", "eps_inf", "", _trace_third, 1.0, headline=True),
        Scalar("refractive_index", "Refractive index, mean", "n", "", _refractive_index, 1.0),
        Scalar("birefringence", "Birefringence", "Δn", "", _birefringence),
    ),
    series=(Series("Principal refractive indices", 3, refractive_indices),),
    surfaces=(*_ellipsoid("electronic-dielectric-tensor", _ELECTRONIC_TITLE), INDICES),
    least_eigenvalue=1.0,
    insulators_only=True,
)

TOTAL = Quantity(
    name=TOTAL_NAME,
    meaning="total static relative permittivity (electronic + ionic) at constant strain",
    unit="",
    form=SYMMETRIC,
    heads=(ELECTRONS, IONS),
    from_heads=_total,
    display=Display(
        _TOTAL_TITLE,
        "eps_total",
        "ε",
        "",
        1.0,
        2,
        SECTION,
        entry="eps_total_",
        noun="total permittivity",
    ),
    scalars=(
        Scalar(
            "eps_total",
            "ε total, trace / 3",
            "eps_total",
            "",
            _trace_third,
            1.0,
            headline=True,
            # a soft mode makes it larger without limit, and it is those that people look for
            above=0.2,
            large=25.0,
        ),
    ),
    surfaces=_ellipsoid("dielectric-tensor", _TOTAL_TITLE),
    least_eigenvalue=1.0,
    insulators_only=True,
    may_soften=True,
)
