"""The piezoelectric stress tensor, which only crystals without an inversion centre have."""

import numpy as np

from ..tensors.directional import greatest_longitudinal, longitudinal_piezoelectric
from ..tensors.electromechanical import C_PER_M2
from ..tensors.forms import VECTOR_MANDEL
from ..tensors.notation import mandel_columns_to_voigt, voigt_columns_to_mandel
from .base import Density, Display, Head, Quantity, Scalar, Surface

NAME = "piezoelectric_tensor"
LONGITUDINAL = "e_longitudinal_c_per_m2"


def _longitudinal(tensors: np.ndarray, _: Density) -> np.ndarray:
    return greatest_longitudinal(mandel_columns_to_voigt(tensors)) * C_PER_M2


HEAD = Head(
    "piezoelectric",
    VECTOR_MANDEL,
    lambda tensors: tensors.get(NAME),
    logarithm=False,
    density=True,
)

SURFACE = Surface(
    "piezoelectric",
    "Longitudinal piezoelectric constant",
    "C/m²",
    ("longitudinal constant",),
    lambda e, n: C_PER_M2 * longitudinal_piezoelectric(e, n)[..., None],
    "Polarisation along each direction by a unit strain along it.",
)

PIEZOELECTRIC = Quantity(
    name=NAME,
    meaning="relaxed-ion piezoelectric stress tensor e, polarisation by strain at constant field, "
    "Voigt order xx yy zz yz xz xy, no factors",
    unit="e/Å^2",
    form=VECTOR_MANDEL,
    heads=(HEAD,),
    from_heads=lambda heads: heads[HEAD.name],
    to_ase=mandel_columns_to_voigt,
    from_ase=lambda tensor: voigt_columns_to_mandel(np.asarray(tensor, dtype=float)),
    display=Display(
        "Piezoelectric tensor e",
        "piezo",
        "e",
        "C/m²",
        C_PER_M2,
        3,
        "Piezoelectric tensor",
        "Relaxed-ion stress constants e_iJ = ∂P_i/∂ε_J (proper, engineering shear) at constant "
        "field; exactly zero with an inversion centre and in the group 432.",
        ieee=True,
        entry="e",
        suffix="c_per_m2",
        noun="piezoelectric tensor",
    ),
    scalars=(
        Scalar(
            LONGITUDINAL,
            "Greatest longitudinal e",
            "e_max",
            "C/m²",
            _longitudinal,
            least=0.0,
            headline=True,
        ),
    ),
    surfaces=(SURFACE,),
    file_key=f"{NAME}_e_per_ang2",
    insulators_only=True,
)
