"""The ASE calculator."""

from collections.abc import Sequence
from pathlib import Path
from warnings import warn

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.outputs import Properties, all_outputs

from .crystal.validation import as_atoms, describe
from .errors import FailedCrystalsWarning, NothingCalculatedError
from .models.store import Model
from .models.training_crystals import TrainingCrystal
from .prediction.adjusting import AdjustableCalculator
from .prediction.partner import Chosen
from .prediction.prediction import Prediction
from .prediction.settings import DEFAULTS, Settings
from .prediction.shared import Calculation
from .quantities import offered


class EqTensorCalculator(AdjustableCalculator):
    """Dielectric, elasticity and compliance tensors of crystals from one network pass.

    Properties, all float64 numpy arrays in the Cartesian frame of the atoms:

        dielectric_tensor             (3, 3)  total static (electronic + ionic), constant strain
        electronic_dielectric_tensor  (3, 3)  clamped-ion, high-frequency part eps_inf
        elasticity_tensor             (6, 6)  relaxed-ion stiffness in eV/Å^3, Voigt order
                                              xx yy zz yz xz xy, no factors
        compliance_tensor             (6, 6)  its inverse in Å^3/eV, engineering shear

    `atoms.get_property(name)` and `calc.get_property(name, atoms)` return those that the model was
    trained on, see `implemented_properties`. `prediction` keeps the full record of the last
    calculation: scalars, uncertainty, provenance and flags. Threads may share a calculator; each
    sees its own last calculation.

    Args:
        model: None for the default model, the name of a shipped one, the path of a .safetensors
            file with its JSON card, or a loaded `Model`.
        device, dtype, project, reduce_cell, symprec, allow_untrained_elements, prefer_known, level:
            how it is run, see `Settings`.
        partner: a potential that takes seconds to improve stiffness and ionic part; `Partner.of`.

    Raises (when a property is asked for):
        StructureError: the atoms are not a bulk crystal that the model can describe.
        ElementError: an element is absent from the training data of that property.
        PropertyNotImplementedError: not a property of this calculator.
    ModelError is raised at once if the model cannot be loaded, SettingError for a setting that is
    not possible here. MetalWarning, MagneticWarning, VacuumWarning, BorderlineSymmetryWarning and
    UnfamiliarWarning are issued where results should not be trusted blindly.

    All arguments are attributes, too; `calc.set(symprec=0.05)` or an assignment changes them.
    """

    implemented_properties = list(offered())
    ignored_changes = {"initial_charges", "initial_magmoms"}

    def __init__(
        self,
        model: str | Path | Model | None = None,
        device: str = DEFAULTS.device,
        *,
        dtype: str = DEFAULTS.dtype,
        project: bool = DEFAULTS.project,
        reduce_cell: bool = DEFAULTS.reduce_cell,
        symprec: float = DEFAULTS.symprec,
        allow_untrained_elements: bool = DEFAULTS.allow_untrained_elements,
        prefer_known: bool = DEFAULTS.prefer_known,
        level: str = DEFAULTS.level,
        partner: Chosen = None,
    ):
        super().__init__()
        chosen = Settings(
            device=device,
            dtype=dtype,
            project=project,
            reduce_cell=reduce_cell,
            symprec=symprec,
            allow_untrained_elements=allow_untrained_elements,
            prefer_known=prefer_known,
            level=level,
        )
        self._run(model, chosen, partner)

    @property
    def name(self) -> str:
        return "eqtensor"

    def todict(self, skip_default: bool = True) -> dict:
        """JSON-able identity of the calculator: what ASE writes into trajectories and databases."""
        return self.predictor.identity()

    def seen(self, atoms=None) -> list[TrainingCrystal]:
        """Crystals of the model's training data with the formula of `atoms` (ASE atoms or a
        pymatgen structure; by default those of the last calculation), the same structures first.

        Each has its source id and first-principles tensors. Empty for a crystal new to the model.
        Raises ModelError if the model lacks the list, NothingCalculatedError before a calculation.
        """
        crystal = self.atoms if atoms is None else as_atoms(atoms)
        if crystal is None:
            raise NothingCalculatedError("nothing was calculated yet: call seen(atoms)")
        return self.model.seen(crystal, self.symprec)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = (),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Fill `results` with all that can be predicted; raises if `properties` asks for more."""
        crystal, predictor = self.atoms if atoms is None else atoms, self.predictor
        if crystal is None:
            raise NothingCalculatedError("nothing was calculated yet: pass the atoms")
        self.reset()
        super().calculate(crystal, properties, system_changes)
        prediction = predictor.predict_one(crystal)
        results = {name: value.copy() for name, value in prediction.tensors.items()}
        self._keep(Calculation(predictor, crystal.copy(), results, prediction))
        for name in properties:
            if name in prediction.refused:
                raise prediction.refused[name]

    def get_property(self, name: str, atoms=None, allow_calculation: bool = True):
        """A property by name, of ASE atoms or a pymatgen structure.

        Issues the warnings that concern it, also for cached results. None if it is not cached
        and `allow_calculation` is False.
        """
        atoms = None if atoms is None else as_atoms(atoms)
        value = super().get_property(name, atoms, allow_calculation)
        if value is not None:
            self._renew_magnetism(atoms)
            self._warn(name)
        return value

    def calculate_properties(self, atoms: Atoms, properties: Sequence[str]) -> Properties:
        """What `atoms.get_properties` calls, past `get_property`; same errors and warnings."""
        exported = super().calculate_properties(atoms, properties)
        for name in properties:
            self._warn(name)
        return exported

    def _warn(self, name: str) -> None:
        prediction = self.prediction
        for warning in [] if prediction is None else prediction.warnings_for(name):
            warn(warning, stacklevel=3)

    def export_properties(self) -> Properties:
        """The results that ASE's own property registry knows (of ours: dielectric_tensor)."""
        return Properties({k: v for k, v in self.results.items() if k in all_outputs})

    def predict(
        self, structures: Sequence, progress: bool = False, workers: int = 1
    ) -> list[Prediction]:
        """Predict many crystals in batches, without touching any `atoms.calc` or the cache.

        Args:
            structures: a list of ASE atoms or pymatgen structures.
            progress: show a progress bar.
            workers: processes for symmetry and neighbour lists, -1 for one per core. They take
                seconds to start, which pays for some thousand crystals and more.

        Returns:
            One `Prediction` for each input, in order: `entry["elasticity_tensor"]` is the array
            that the calculator would give. For a bad crystal `entry.error` holds the error and
            `entry[...]` raises it; a FailedCrystalsWarning names the indices of all of them.
        """
        if isinstance(structures, Atoms) or hasattr(structures, "lattice"):
            raise TypeError("predict() takes a list of crystals; for a single one pass [crystal]")
        predictions = self.predictor.predict(structures, progress, workers)
        if failed := [i for i, p in enumerate(predictions) if p.error is not None]:
            shown = "; ".join(str(predictions[i].error) for i in failed[:5])
            text = f"no prediction for crystals {failed}: {shown}"
            warn(FailedCrystalsWarning(text), stacklevel=2)
        return predictions


def get_property(self: Atoms, name: str) -> np.ndarray:
    """Property `name` from the attached calculator, e.g. atoms.get_property("dielectric_tensor").

    Added to ase.Atoms by ase_eqtensor where ASE has no such method. Raises RuntimeError when no
    calculator is attached.
    """
    if self.calc is None:
        raise RuntimeError(
            f"{describe(self)} has no calculator: attach one, for example "
            "atoms.calc = EqTensorCalculator()"
        )
    return self.calc.get_property(name, self)


def add_get_property() -> None:
    """Give ase.Atoms the pass-through method `get_property`, unless it has one."""
    if not hasattr(Atoms, "get_property"):
        Atoms.get_property = get_property  # type: ignore[attr-defined]  # it is new to the class
