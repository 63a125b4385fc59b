"""An ASE calculator that threads may share: each sees the calculation that it made itself."""

import threading
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError

from ..crystal.validation import magnetic_warnings
from ..errors import MagneticWarning
from .prediction import Prediction
from .predictor import Predictor


class Calculation(NamedTuple):
    """What a calculator keeps of a calculation.

    predictor: that made it. atoms: copy of the crystal. results: name -> array. prediction: the
    full record.
    """

    predictor: Predictor | None
    atoms: Atoms | None
    results: dict[str, Any]
    prediction: Prediction | None


class SharedCalculator(Calculator):
    """ASE keeps crystal and results on the calculator, where another thread may replace them before
    they are read. Here they are those of the last calculation in the same thread; a thread that
    made none sees the last one of all.

    They end with the predictor that made them: whoever replaces it need not clear anything.
    """

    predictor: Predictor | None = None

    def __init__(self) -> None:
        self._threads, self._latest = threading.local(), Calculation(None, None, {}, None)
        super().__init__()

    @property
    def _last(self) -> Calculation:
        for last in (getattr(self._threads, "last", self._latest), self._latest):
            if last.predictor is self.predictor:
                return last
        return Calculation(self.predictor, None, {}, None)

    def _keep(self, calculation: Calculation) -> None:
        self._latest = self._threads.last = calculation

    @property
    def atoms(self) -> Atoms | None:
        """Copy of the crystal of the last calculation."""
        return self._last.atoms

    @atoms.setter
    def atoms(self, atoms: Atoms | None) -> None:
        self._keep(self._last._replace(atoms=atoms))

    @property
    def results(self) -> dict[str, Any]:
        """Name -> array of what the last calculation gave."""
        return self._last.results

    @results.setter
    def results(self, results: dict[str, Any]) -> None:
        self._keep(self._last._replace(results=results))

    @property
    def prediction(self) -> Prediction | None:
        """The full record of the last calculation; None before, and if it failed."""
        return self._last.prediction

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True):
        """As ASE's; asks again where another thread has changed the predictor meanwhile."""
        while True:
            predictor = self.predictor
            try:
                return super().get_property(name, atoms, allow_calculation)
            except PropertyNotImplementedError:
                if predictor is self.predictor:
                    raise

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What differs between `atoms` and the last crystal; ASE does not look at masses."""
        changes = super().check_state(atoms, tol)
        last = self.atoms
        if not changes and last is not None:
            if not np.array_equal(atoms.get_masses(), last.get_masses()):
                changes = ["masses"]
        return changes

    def _renew_magnetism(self, atoms: Atoms | None) -> None:
        """Let the record tell of the magnetic moments that `atoms`, the last crystal, have now.

        ASE is told to ignore them when it compares crystals: no tensor depends on them.
        """
        last = self._last
        if (
            atoms is None
            or last.atoms is None
            or last.prediction is None
            or np.array_equal(
                atoms.get_initial_magnetic_moments(), last.atoms.get_initial_magnetic_moments()
            )
        ):
            return
        others = [w for w in last.prediction.warnings if not isinstance(w, MagneticWarning)]
        prediction = replace(last.prediction, warnings=(*magnetic_warnings(atoms), *others))
        self._keep(last._replace(atoms=atoms.copy(), prediction=prediction))

    def reset(self) -> None:
        """Forget the last calculation."""
        self._keep(Calculation(self.predictor, None, {}, None))

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_latest": self._last}
        del state["_threads"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _threads=threading.local())
