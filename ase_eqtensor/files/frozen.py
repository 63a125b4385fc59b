"""Crystals that carry their tensors: in `atoms.info` and results, where ASE's writers keep them.

| | extxyz, traj | db, json, PostgreSQL |
|---|---|---|
| quantities that ASE has a name for | `atoms.calc.results` | `row.data` |
| the others, under the key of the quantity | `atoms.info` | `row.data` |
| model, hash, theory, flags, scalars, uncertainty | `atoms.info["eqtensor"]` | `row.data` |
| k_vrh_gpa, eps_total, ... to select on | - | `row.key_value_pairs` |

`freeze` makes the first form, `load` (formats.py) gives it for every kind of file. What the user
had under one of these names is kept in `atoms.info` under given_NAME.
"""

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_properties
from ase.calculators.singlepoint import SinglePointCalculator

from ..calculator import EqTensorCalculator
from ..crystal.formula import reduced_formula
from ..models.uncertainty import RELATIVE
from ..prediction.prediction import Prediction
from ..quantities import QUANTITIES, offered, scalars, stored

RECORD = "eqtensor"  # key of `Prediction.record`
GIVEN = "given_"  # before a name of the user's that is one of ours
PAIRS = "key_value_pairs"  # of a database's row


def freeze(
    atoms: Atoms,
    prediction: Prediction | None = None,
    source: str | None = None,
    origin: str | None = None,
) -> Atoms:
    """A copy of a crystal that carries its tensors through ASE's writers.

    Args:
        atoms: the crystal. Its info stays, and so do the energy, forces, ... of another
            calculator, if they belong to these positions; in info, where ASE has no such property.
        prediction: of this crystal; None takes that of its `EqTensorCalculator`. Several crystals
            may share one calculator: every copy has a calculator of its own.
        source: label of the crystal, for the databases' key of this name.
        origin: the folder or database that it comes from, likewise.

    Returns:
        Atoms in the same frame. What ASE has a name for (`dielectric_tensor`, (3, 3)) is among the
        results of a `SinglePointCalculator`, what it has none for in `info` under the key of the
        quantity (`elasticity_tensor_ev_per_ang3`, (6, 6), Voigt order xx yy zz yz xz xy), beside
        `eqtensor`, the dictionary of `Prediction.record`. Tensors that were refused are absent.
        What the user had under such a name is in `info`, as given_NAME.

    Raises:
        TypeError: no prediction, and no `EqTensorCalculator` attached.
        EqTensorError: nothing was predicted; the reason.
    """
    prediction = _attached(atoms) if prediction is None else prediction
    if prediction.error is not None:
        raise prediction.error
    frozen = atoms.copy()
    results = results_of_others(atoms)
    unknown = {k: v for k, v in _results(atoms).items() if k not in all_properties}
    frozen.info = unknown | frozen.info
    pairs = frozen.info.get(PAIRS, {})
    if not isinstance(pairs, Mapping):  # something else of the user's under this name
        frozen.info[GIVEN + PAIRS], pairs = frozen.info.pop(PAIRS), {}
    places = {"source": source, "origin": origin}
    places = {key: value for key, value in places.items() if value is not None}
    if not is_record(atoms.info.get(RECORD)):  # else they are of an earlier prediction
        frozen.info |= _given(frozen.info, results)
        pairs = {GIVEN + key: pairs[key] for key in places if key in pairs} | pairs
    else:
        before = searchable(atoms)
        pairs = {key: value for key, value in pairs.items() if before.get(key) != value}
    for name, quantity in stored().items():
        place = results if name in all_properties else frozen.info
        for old in (results, frozen.info):
            old.pop(quantity.key, None)
        if name in prediction:
            place[quantity.key] = prediction.tensors[name]
    frozen.info[RECORD] = prediction.record()
    if places:
        frozen.info[PAIRS] = pairs | places
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


def is_record(value: object) -> bool:
    """Whether it is the record of a prediction, rather than something of the user's."""
    return isinstance(value, Mapping) and "sha256" in value


def kept_as_given(atoms: Atoms, frozen: Atoms) -> list[str]:
    """Names of the user's that `freeze` changed because the prediction has them: given_..."""
    before, after = atoms.info, frozen.info
    names = [key for key in after if key.startswith(GIVEN) and key not in before]
    old, pairs = before.get(PAIRS), after.get(PAIRS, {})
    told = old if isinstance(old, Mapping) else {}
    return names + [key for key in pairs if key.startswith(GIVEN) and key not in told]


def _given(info: Mapping, results: Mapping) -> dict:
    """given_NAME -> value of the user's that has the name of a tensor of ours; also where that was
    refused, because it would be taken for ours."""
    given = {GIVEN + RECORD: info[RECORD]} if RECORD in info else {}
    for key in (quantity.key for quantity in stored().values()):
        if key in info:
            given[GIVEN + key] = info[key]
        if key in results:
            place = f"{GIVEN}result_{key}" if GIVEN + key in given else GIVEN + key
            given[place] = np.array(results[key])
    return {name: value for name, value in given.items() if name not in info}


def searchable(frozen: Atoms) -> dict[str, float | bool | str]:
    """What databases are searched by.

    Every scalar of the crystal's tensors, see `Quantity.scalars` (k_vrh_gpa, eps_total, ...), that
    is a finite number; for every tensor NAME_error_90, the relative error that nine crystals in ten
    stay below (elasticity_error_90, ...). Every flag of the prediction, such as likely_metal, is
    True where it is raised and absent elsewhere, and so is NAME_FLAG for the tensors that it
    concerns (dielectric_likely_metal, elasticity_unlike_training_data, ...). NAME_known, such as
    elasticity_known, is the entry of the training data that a tensor was taken from.
    """
    arrays, record = tensors_of(frozen), frozen.info.get(RECORD, {})
    # records of version 0.1 have none
    values = record.get("scalars") or scalars(arrays, frozen)
    keys: dict[str, float | bool | str] = {
        name: value for name, value in values.items() if value is not None and np.isfinite(value)
    }
    for name, estimate in record.get("uncertainty", {}).items():
        if name in arrays and not QUANTITIES[name].inverse_of:
            keys[f"{QUANTITIES[name].stem}_error_90"] = estimate[RELATIVE]["0.9"]
    for flag, names in record.get("concerns", {}).items():
        keys |= {f"{QUANTITIES[name].stem}_{flag}": True for name in names if name in QUANTITIES}
    known = record.get("known", {}).items()
    keys |= {f"{QUANTITIES[name].stem}_known": entry for name, entry in known if name in arrays}
    return keys | dict.fromkeys(record.get("flags", ()), True)


def results_of_others(atoms: Atoms) -> dict:
    """Energy, forces, ... of a calculator of the user's, if they belong to these positions."""
    return {name: value for name, value in _results(atoms).items() if name in all_properties}


def _results(atoms: Atoms) -> dict:
    """All that such a calculator gives, also under names that ASE does not know."""
    calc = atoms.calc
    if not isinstance(calc, Calculator) or isinstance(calc, EqTensorCalculator):
        return {}
    if calc.check_state(atoms):  # the atoms have moved since
        return {}
    return {name: value for name, value in calc.results.items() if value is not None}


def _attached(atoms: Atoms) -> Prediction:
    calc = atoms.calc
    if not isinstance(calc, EqTensorCalculator):
        raise TypeError(
            f"{reduced_formula(atoms)} has no EqTensorCalculator: attach one, or pass its "
            "prediction"
        )
    if calc.prediction is None or calc.check_state(atoms):
        calc.calculate(atoms)
    assert calc.prediction is not None  # `calculate` sets it, or raises
    return calc.prediction
