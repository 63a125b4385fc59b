"""Is a tensor that somebody gives for a crystal right, and if not, which mistake was made?"""

from collections.abc import Collection, Mapping

import numpy as np

from ..calculator import EqTensorCalculator
from ..crystal.validation import as_atoms, check_structure, describe
from ..errors import DataError
from ..prediction.known import compared
from ..prediction.prediction import Prediction
from ..prediction.predictor import Predictor
from ..quantities import stored
from .pairs import with_pairs
from .verdict import Verdict, verdicts

__all__ = ["Verdict", "check_tensors", "judged"]


def check_tensors(
    structure, tensors: Mapping[str, np.ndarray], calculator: EqTensorCalculator | None = None
) -> dict[str, Verdict]:
    """Judge tensors of a crystal: frame, order, unit, ions, stability, and what the model expects.

    A tensor is held against the point group of the crystal and against the model's prediction with
    its error bounds, as it is and with each of some hundred known mistakes undone; the likeliest
    reading is the verdict. docs/check.md says how often it is right.

    Args:
        structure: ASE atoms or a pymatgen structure.
        tensors: name of a quantity -> array, said to be in the shape, unit, order and frame of
            `QUANTITIES`: "elasticity_tensor" (6, 6) in eV/Å^3, "dielectric_tensor" and
            "electronic_dielectric_tensor" (3, 3), "piezoelectric_tensor" (3, 6) in e/Å^2; Voigt
            order xx yy zz yz xz xy, in the Cartesian frame of the structure.
        calculator: whose model and settings are used; the default model without.

    Returns:
        Name -> `Verdict`.

    Raises:
        StructureError: no crystal that can be described.
        DataError: a name that is none of these, an array of another shape, or numbers that are not
            finite.
    """
    atoms = as_atoms(structure)
    check_structure(atoms)
    for name, tensor in tensors.items():
        _check(name, tensor, describe(atoms))
    predictor = (calculator or EqTensorCalculator()).predictor
    (prediction,) = predictor.predict([atoms])
    return judged(atoms, tensors, prediction, predictor)


def judged(
    atoms,
    tensors: Mapping[str, np.ndarray],
    prediction: Prediction,
    predictor: Predictor,
    clamped: Collection[str] = (),
) -> dict[str, Verdict]:
    """Verdicts on tensors of a crystal of which the prediction is there already; see `verdicts`."""
    symprec = predictor.symprec
    known = compared(prediction, predictor.model.seen(atoms, symprec))
    found = verdicts(atoms, tensors, prediction, symprec, known, clamped)
    return with_pairs(found, atoms, symprec)


def _check(name: str, tensor: np.ndarray, crystal: str) -> None:
    known = stored()
    if name not in known:
        raise DataError(f"{crystal}: no tensor {name!r} can be checked, only {', '.join(known)}")
    array = np.asarray(tensor)
    if array.shape != known[name].shape or array.dtype.kind not in "fiu":
        raise DataError(
            f"{crystal}: {name} is of shape {array.shape}, expected numbers {known[name].shape}"
        )
    if not np.isfinite(array).all():
        raise DataError(f"{crystal}: {name} has NaN or infinity; leave it out or repair it")
