"""Crystals with right and repaired tensors, for files."""

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_properties
from ase.calculators.singlepoint import SinglePointCalculator

from ..files.frozen import GIVEN, PAIRS, RECORD, results_of_others
from ..quantities import stored
from .given import Given
from .verdict import Verdict

CHECKED = "eqtensor_check"  # key of what was found, by the names of tensors


def repaired(given: Given, verdicts: dict[str, Verdict]) -> Atoms:
    """The crystal with its tensors under the names of the package, repaired where they could be.

    What was given of these is kept under given_NAME, in the same unit, and the verdicts, as
    `Verdict.to_dict` gives them without the tensors, under eqtensor_check. `load` and `tensors_of`
    read the result of a file.
    """
    atoms = given.atoms.copy()
    results: dict[str, Any] = dict(results_of_others(given.atoms))
    told = {}
    for name, quantity in stored().items():
        for place in (results, atoms.info):
            place.pop(quantity.key, None)
        atoms.info.pop(name, None)
        if name not in verdicts:
            continue
        verdict = verdicts[name]
        (results if name in all_properties else atoms.info)[quantity.key] = verdict.tensor
        if verdict.repaired is not None:
            atoms.info[GIVEN + quantity.key] = np.array(verdict.given)
        told[name] = {k: v for k, v in verdict.to_dict().items() if k != "repaired"}
    atoms.info.pop(RECORD, None)  # of predictions, which these tensors are not
    if isinstance(atoms.info.get(PAIRS), dict):
        atoms.info[PAIRS] = {"source": given.label} | atoms.info[PAIRS]
    atoms.info[CHECKED] = told
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms
