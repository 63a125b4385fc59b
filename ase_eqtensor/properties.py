"""The tensor properties of a crystal: what the network predicts for them and what a user gets.

To add a property: declare it here, with a head in `HEADS` (the irreps of what is predicted) if no
head has it yet, and let `TensorNetwork.logarithms` and `tensors` (network/model.py) make a physical
tensor of the head's irreps. To train it, name the target in train/record.py, check it in
train/curation.py, and give it a weight in train/recipe.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .tensors.irreps import RANK2, STIFFNESS, Irreps
from .tensors.notation import compliance_mandel_to_voigt, mandel_to_voigt

HEADS: dict[str, Irreps] = {
    "stiffness": STIFFNESS,
    "electronic": RANK2,
    "ionic": RANK2,
    "formation_energy": {0: 1},
}
TENSOR_HEADS = ("stiffness", "electronic", "ionic")  # heads that predict the logarithm of a tensor


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
