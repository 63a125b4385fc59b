"""The tensor properties of a crystal, declared in one place.

To add a property: give the network a head for it in `HEADS` (the irreps of what it predicts), let
`network/model.py` turn the head's irreps into a physical tensor, and declare here what a user
gets. Training data carry the target under the property's name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from e3nn import o3

from .tensors.irreps import RANK2_IRREPS, STIFFNESS_IRREPS
from .tensors.notation import compliance_mandel_to_voigt, mandel_to_voigt

HEADS = {
    "stiffness": STIFFNESS_IRREPS,
    "electronic": RANK2_IRREPS,
    "ionic": RANK2_IRREPS,
    "formation_energy": o3.Irreps("0e"),
}


@dataclass(frozen=True)
class TensorProperty:
    """One property as ASE knows it, in the Cartesian frame of the caller's atoms.

    name: property name in ASE.
    shape, unit: of the array that a user gets.
    meaning: one line for people.
    output: which output of the network it comes from.
    trained_on: the training target that decides which elements are covered.
    insulators_only: whether metals have no such tensor.
    from_network: array in the network's form (Mandel, or (3, 3)) to the user's form.
    """

    name: str
    shape: tuple[int, int]
    unit: str
    meaning: str
    output: str
    trained_on: str
    insulators_only: bool
    from_network: Callable[[np.ndarray], np.ndarray]


PROPERTIES = {
    p.name: p
    for p in (
        TensorProperty(
            name="dielectric_tensor",
            shape=(3, 3),
            unit="",
            meaning="total static relative permittivity (electronic + ionic) at constant strain",
            output="dielectric",
            trained_on="dielectric",
            insulators_only=True,
            from_network=np.asarray,
        ),
        TensorProperty(
            name="electronic_dielectric_tensor",
            shape=(3, 3),
            unit="",
            meaning="clamped-ion, high-frequency relative permittivity eps_inf",
            output="electronic",
            trained_on="electronic",
            insulators_only=True,
            from_network=np.asarray,
        ),
        TensorProperty(
            name="elasticity_tensor",
            shape=(6, 6),
            unit="eV/Å^3",
            meaning="relaxed-ion stiffness, Voigt order xx yy zz yz xz xy, no factors",
            output="stiffness",
            trained_on="stiffness",
            insulators_only=False,
            from_network=mandel_to_voigt,
        ),
        TensorProperty(
            name="compliance_tensor",
            shape=(6, 6),
            unit="Å^3/eV",
            meaning="inverse of the stiffness, Voigt order, engineering shear",
            output="compliance",
            trained_on="stiffness",
            insulators_only=False,
            from_network=compliance_mandel_to_voigt,
        ),
    )
}
