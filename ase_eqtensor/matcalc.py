"""Our tensors where users of MatCalc strain crystals: a `PropCalc` that chains with the others.

This module imports MatCalc, of the extra `matcalc`; nothing else of the package does.
"""

from collections.abc import Generator, Iterable
from itertools import islice
from typing import Any

import numpy as np

from .analysis import elastic_tensor
from .calculator import EqTensorCalculator
from .errors import StructureError, located
from .extras import extra
from .models.uncertainty import RELATIVE
from .prediction.prediction import Prediction
from .prediction.predictor import Predictor
from .quantities import stored
from .quantities.stiffness import STIFFNESS, Moduli
from .tensors.notation import GPA

with extra("matcalc"):
    from matcalc import PropCalc

__all__ = ["TensorCalc"]

BATCH = 256  # crystals that `calc_many` predicts together
LEVEL = 0.9  # of the bounds


class TensorCalc(PropCalc):
    """Elastic, dielectric and piezoelectric tensors of a crystal, without strains and forces.

    It takes the place of `matcalc.ElasticityCalc` and gives its results under the same keys and in
    the same units. Structures are taken as they are: put a `matcalc.RelaxCalc` before it in a
    `ChainedCalc` where they are not relaxed. `residuals_sum` and `r2_score_mean`, which are about a
    fit, are absent.

    Args:
        calculator: an `EqTensorCalculator`, with the settings of your choice; or None for the
            default model, the name of a shipped one, or the path of a weights file.
        units_GPa: give the elastic tensor and moduli in GPa instead of eV/Å^3, as MatCalc's option.

    Raises ModelError or TypeError if `calculator` is none of these.
    """

    def __init__(
        self,
        calculator: EqTensorCalculator | str | None = None,
        *,
        units_GPa: bool = False,  # noqa: N803 (MatCalc's spelling)
    ):
        if calculator is None or isinstance(calculator, str):
            calculator = EqTensorCalculator(calculator)
        if not isinstance(calculator, EqTensorCalculator):
            raise TypeError(
                f"a {type(calculator).__name__} predicts no tensors: pass an EqTensorCalculator, "
                "or use matcalc.ElasticityCalc with this potential"
            )
        self.calculator = calculator
        self.units_GPa = units_GPa

    @property
    def _predictor(self) -> Predictor:
        calculator = self.calculator  # a property of MatCalc's, of any calculator
        assert isinstance(calculator, EqTensorCalculator)
        return calculator.predictor

    def calc(self, structure: Any) -> dict[str, Any]:
        """The tensors of one structure.

        Args:
            structure: pymatgen's Structure, ASE atoms, or the results of an earlier calculation,
                with one of these under `final_structure` or `structure`.

        Returns:
            What came from earlier calculations, and, of tensors that were not refused,

            - elastic_tensor: pymatgen's ElasticTensor, C_ijkl (3, 3, 3, 3) in the Cartesian frame
              of the structure; bulk_modulus_vrh, shear_modulus_vrh, youngs_modulus; all in eV/Å^3,
              or in GPa with `units_GPa`;
            - electronic_dielectric_tensor, dielectric_tensor: relative permittivities (3, 3);
              piezoelectric_tensor: e_iJ (3, 6) in e/Å^2, Voigt order xx yy zz yz xz xy;
            - bounds: scalar (k_vrh_gpa, eps_total, ...) -> (low, high), which hold for nine
              crystals in ten; relative_error_bounds: tensor -> relative error that nine in ten stay
              below;
            - flags: why not to trust it blindly; refused: tensor -> why there is none;
            - final_structure, structure: as given; _units: of the results.

        Raises StructureError for what is no bulk crystal, EqTensorError if nothing is known of it.
        """
        result = self._standardised(structure)
        prediction = self._predictor.predict_one(result["final_structure"])
        return self._results(result, prediction)

    def calc_many(
        self,
        structures: Iterable[Any],
        n_jobs: int | None = None,
        allow_errors: bool = False,
        **kwargs: Any,
    ) -> Generator[dict[str, Any] | None, None, None]:
        """`calc` of many structures, in batches through the network.

        Args:
            structures: each as for `calc`.
            n_jobs: processes for symmetry and neighbour lists, -1 for one per core; None for one.
            allow_errors: give None for a structure that has no prediction, instead of raising why.
            kwargs: of joblib, for the other calculators of a chain; not used.
        """
        start, rest = 0, iter(structures)
        while batch := list(islice(rest, BATCH)):
            yield from self._batch(batch, start, n_jobs or 1, allow_errors)
            start += len(batch)

    def _batch(
        self, structures: list[Any], start: int, workers: int, allow_errors: bool
    ) -> Generator[dict[str, Any] | None, None, None]:
        """Results of some of many structures, the first of which has the number `start`."""
        labels = [f"structure {start + i}" for i in range(len(structures))]
        given: list[dict[str, Any]] = []
        for structure, label in zip(structures, labels):
            try:
                given.append(self._standardised(structure))
            except StructureError as error:
                if not allow_errors:
                    raise located(error, label) from None
                given.append({"final_structure": None})  # refused below, as any other no structure
        crystals = [one["final_structure"] for one in given]
        predictions = self._predictor.predict(crystals, workers=workers, labels=labels)
        for one, prediction in zip(given, predictions):
            failed = prediction.error is not None and allow_errors
            yield None if failed else self._results(one, prediction)

    def _standardised(self, structure: Any) -> dict[str, Any]:
        """A dictionary with the crystal under `final_structure`, and what came with it."""
        try:
            return super().calc(structure)
        except ValueError as error:
            raise StructureError(str(error)) from error

    def _results(self, result: dict[str, Any], prediction: Prediction) -> dict[str, Any]:
        if prediction.error is not None:
            raise prediction.error
        tensors: dict[str, Any] = {}
        units: dict[str, str] = {}
        for name, quantity in stored().items():
            if name not in prediction:
                continue
            if quantity is STIFFNESS:
                found = self._elastic(prediction.tensors[name])
                tensors |= found
                units |= dict.fromkeys(found, "GPa" if self.units_GPa else "eV/A^3")
            else:
                tensors[name] = prediction.tensors[name]
                units[name] = quantity.unit.replace("Å", "A")  # as MatCalc spells it
        bounds = {name: prediction.interval(name, LEVEL) for name in prediction.scalars}
        return result | {
            **tensors,
            "bounds": {name: ends for name, ends in bounds.items() if ends is not None},
            "relative_error_bounds": {
                name: estimate.to_dict()[RELATIVE][str(LEVEL)]
                for name, estimate in prediction.uncertainty.items()
            },
            "flags": prediction.flags,
            "refused": {name: str(error) for name, error in prediction.refused.items()},
            "structure": result["final_structure"],
            "_units": {**result.get("_units", {}), **units},
        }

    def _elastic(self, stiffness: np.ndarray) -> dict[str, Any]:
        """MatCalc's results of a stiffness (6, 6) in eV/Å^3."""
        factor = 1.0 if self.units_GPa else GPA
        moduli = Moduli(STIFFNESS.from_ase(stiffness)[None])
        k, g = float(moduli.k[0]) * factor, float(moduli.g[0]) * factor
        return {
            "elastic_tensor": elastic_tensor(stiffness) * factor,
            "bulk_modulus_vrh": k,
            "shear_modulus_vrh": g,
            "youngs_modulus": 9 * k * g / (3 * k + g),
        }
