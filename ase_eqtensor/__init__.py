"""Dielectric and elastic tensors of crystals from one pass of an equivariant network.

Everything in `__all__` is public; whatever else the package holds may change. Importing the package
adds the method `get_property` to `ase.Atoms` if ASE has none; nothing else is changed.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .calculator import EqTensorCalculator, add_get_property
from .errors import (
    BorderlineSymmetryWarning,
    BorrowedElementWarning,
    DataError,
    ElementError,
    EqTensorError,
    EqTensorWarning,
    FailedCrystalsWarning,
    MagneticWarning,
    MetalWarning,
    MissingExtraError,
    ModelError,
    NothingCalculatedError,
    OutputExistsError,
    PartnerError,
    PartnerWarning,
    RecipeError,
    SettingError,
    SoftModeWarning,
    StrainedWarning,
    StructureError,
    UnfamiliarWarning,
    UnknownSettingWarning,
    UnknownSymmetryWarning,
    UnstableWarning,
    UntrainedElementWarning,
    VacuumWarning,
)
from .models.store import Model, available_models, load_model
from .models.training_crystals import TrainingCrystal
from .models.uncertainty import Interval, Uncertainty
from .prediction.partner import Partner
from .prediction.prediction import Prediction
from .prediction.settings import Settings
from .quantities import QUANTITIES, Quantity, Scalar, scalars

__all__ = [
    "QUANTITIES",
    "BorderlineSymmetryWarning",
    "BorrowedElementWarning",
    "DataError",
    "Electromechanical",
    "ElementError",
    "EqTensorCalculator",
    "EqTensorError",
    "EqTensorWarning",
    "FailedCrystalsWarning",
    "Interval",
    "MagneticWarning",
    "MetalWarning",
    "MissingExtraError",
    "Model",
    "ModelError",
    "NothingCalculatedError",
    "Optics",
    "OutputExistsError",
    "Partner",
    "PartnerError",
    "PartnerWarning",
    "Prediction",
    "Quantity",
    "RecipeError",
    "Scalar",
    "Screened",
    "SettingError",
    "Settings",
    "SoftModeWarning",
    "StrainedWarning",
    "StructureError",
    "TrainingCrystal",
    "Uncertainty",
    "UnfamiliarWarning",
    "UnknownSettingWarning",
    "UnknownSymmetryWarning",
    "UnstableWarning",
    "UntrainedElementWarning",
    "VacuumWarning",
    "Verdict",
    "Waves",
    "abaqus_material",
    "amset_settings",
    "available_models",
    "check_tensors",
    "damask_phase",
    "elastic_summary",
    "elastic_tensor",
    "freeze",
    "greatest_d",
    "load",
    "load_model",
    "open_collection",
    "plot",
    "predict",
    "refractive_indices",
    "report",
    "save",
    "scalars",
    "screen",
    "sound_waves",
    "tensors_of",
    "to_ieee",
    "voigt_to_cartesian",
    "wave_indices",
]

add_get_property()

# Imported when asked for: a prediction needs none of them, and they take time.
_LATER = {
    "Electromechanical": "analysis",
    "Optics": "analysis",
    "Screened": "screening",
    "Verdict": "checking",
    "Waves": "analysis",
    "abaqus_material": "handover",
    "amset_settings": "handover",
    "check_tensors": "checking",
    "damask_phase": "handover",
    "elastic_summary": "analysis",
    "elastic_tensor": "analysis",
    "freeze": "files",
    "greatest_d": "analysis",
    "load": "files",
    "open_collection": "files",
    "plot": "reporting",
    "refractive_indices": "analysis",
    "report": "reporting",
    "save": "files",
    "screen": "screening",
    "sound_waves": "analysis",
    "tensors_of": "files",
    "to_ieee": "analysis",
    "voigt_to_cartesian": "tensors.notation",
    "wave_indices": "analysis",
}
if TYPE_CHECKING:  # for those who read the code without running it
    from .analysis import (
        Electromechanical,
        Optics,
        Waves,
        elastic_summary,
        elastic_tensor,
        greatest_d,
        refractive_indices,
        sound_waves,
        to_ieee,
        wave_indices,
    )
    from .checking import Verdict, check_tensors
    from .files import freeze, load, open_collection, save, tensors_of
    from .handover import abaqus_material, amset_settings, damask_phase
    from .reporting import plot, report
    from .screening import Screened, screen
    from .tensors.notation import voigt_to_cartesian


def predict(structures, model=None, *, progress=False, workers=1, **settings) -> list[Prediction]:
    """Predict many crystals in batches: `EqTensorCalculator(model, **settings).predict(...)`.

    Args:
        structures: a list of ASE atoms or pymatgen structures.
        model: as of `EqTensorCalculator`.
        progress: show a progress bar.
        workers: processes for symmetry and neighbour lists, -1 for one per core.
        settings: further arguments of `EqTensorCalculator`: device, dtype, symprec, ...

    Returns:
        One `Prediction` for each input, in order.
    """
    return EqTensorCalculator(model, **settings).predict(structures, progress, workers)


def __getattr__(name: str):
    if name in _LATER:
        value = getattr(import_module(f".{_LATER[name]}", __name__), name)
        globals()[name] = value
        return value
    if name == "__version__":  # looked up when asked for: reading metadata takes time
        from importlib.metadata import version

        return version("ase-eqtensor")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
