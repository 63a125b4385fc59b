"""Crystals that carry their tensors: in `atoms.info` and results, where ASE's writers keep them.

| | extxyz, traj | db, json, PostgreSQL |
|---|---|---|
| quantities that ASE has a name for | `atoms.calc.results` | `row.data` |
| the others, under the key of the quantity | `atoms.info` | `row.data` |
| model, hash, theory, flags, scalars, uncertainty | `atoms.info["eqtensor"]` | `row.data` |
| k_vrh_gpa, eps_total, ... to select on | - | `row.key_value_pairs` |

`freeze` makes the first form, `load` (formats.py) gives it for every kind of file.
"""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_properties
from ase.calculators.singlepoint import SinglePointCalculator

from ..calculator import EqTensorCalculator
from ..models.uncertainty import RELATIVE
from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES, offered, scalars, stored

RECORD = "eqtensor"  # key of `Prediction.record`


def freeze(atoms: Atoms, prediction: Prediction | None = None, source: str | None = None) -> Atoms:
    """A copy of a crystal that carries its tensors through ASE's writers.

    Args:
        atoms: the crystal. Its info stays, and so do the energy, forces, ... of another
            calculator, if they belong to these positions.
        prediction: of this crystal; None takes that of its `EqTensorCalculator`. Several crystals
            may share one calculator: every copy has a calculator of its own.
        source: where the crystal comes from, for the databases' key of this name.

    Returns:
        Atoms in the same frame. What ASE has a name for (`dielectric_tensor`, (3, 3)) is among the
        results of a `SinglePointCalculator`, what it has none for in `info` under the key of the
        quantity (`elasticity_tensor_ev_per_ang3`, (6, 6), Voigt order xx yy zz yz xz xy), beside
        `eqtensor`, the dictionary of `Prediction.record`. Tensors that were refused are absent.

    Raises:
        TypeError: no prediction, and no `EqTensorCalculator` attached.
        EqTensorError: nothing was predicted; the reason.
    """
    prediction = _attached(atoms) if prediction is None else prediction
    if prediction.error is not None:
        raise prediction.error
    frozen = atoms.copy()
    results = results_of_others(atoms)
    for name, quantity in stored().items():
        place = results if name in all_properties else frozen.info
        if place is frozen.info:  # of an earlier prediction
            place.pop(quantity.key, None)
        if name in prediction:
            place[quantity.key] = prediction.tensors[name]
    frozen.info[RECORD] = prediction.record()
    if source is not None:
        frozen.info["key_value_pairs"] = frozen.info.get("key_value_pairs", {}) | {"source": source}
    if results:
        frozen.calc = SinglePointCalculator(frozen, **results)
    return frozen


def tensors_of(frozen: Atoms) -> dict[str, np.ndarray]:
    """Quantity name -> array (*shape) of atoms made by `freeze` or `load`, in their frame; shapes
    and units are those of `QUANTITIES`. An inverse, as the compliance, follows from what it is the
    inverse of."""
    results = frozen.calc.results if frozen.calc else {}
    arrays: dict[str, np.ndarray] = {}
    for name, quantity in offered().items():
        source = quantity.inverse_of
        if source is not None and source.name in arrays:
            inverse = np.linalg.inv(source.from_ase(arrays[source.name]))
            arrays[name] = quantity.to_ase(inverse)
        value = (results if name in all_properties else frozen.info).get(quantity.key)
        if value is not None:
            arrays[name] = np.asarray(value, dtype=float)
    return arrays


tensors = tensors_of  # its name in version 0.1


def searchable(frozen: Atoms) -> dict[str, float | bool]:
    """What databases are searched by.

    Every scalar of the crystal's tensors, see `Quantity.scalars` (k_vrh_gpa, eps_total, ...), that
    is a finite number; for every tensor NAME_error_90, the relative error that nine crystals in ten
    stay below (elasticity_error_90, ...). Every flag of the prediction, such as likely_metal, is
    True where it is raised and absent elsewhere.
    """
    arrays, record = tensors_of(frozen), frozen.info.get(RECORD, {})
    # records of version 0.1 have none
    values = record.get("scalars") or scalars(arrays, frozen)
    keys: dict[str, float | bool] = {
        name: value for name, value in values.items() if value is not None and np.isfinite(value)
    }
    for name, estimate in record.get("uncertainty", {}).items():
        if name in arrays and not QUANTITIES[name].inverse_of:
            keys[f"{QUANTITIES[name].stem}_error_90"] = estimate[RELATIVE]["0.9"]
    return keys | dict.fromkeys(record.get("flags", ()), True)


def results_of_others(atoms: Atoms) -> dict:
    """Energy, forces, ... of a calculator of the user's, if they belong to these positions."""
    calc = atoms.calc
    if not isinstance(calc, Calculator) or isinstance(calc, EqTensorCalculator):
        return {}
    if calc.check_state(atoms):  # the atoms have moved since
        return {}
    return {k: v for k, v in calc.results.items() if k in all_properties and v is not None}


def _attached(atoms: Atoms) -> Prediction:
    calc = atoms.calc
    if not isinstance(calc, EqTensorCalculator):
        raise TypeError(
            f"{atoms.get_chemical_formula()} has no EqTensorCalculator: attach one, or pass its "
            "prediction"
        )
    if calc.prediction is None or calc.check_state(atoms):
        calc.calculate(atoms)
    assert calc.prediction is not None  # `calculate` sets it, or raises
    return calc.prediction
