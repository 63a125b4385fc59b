"""Dielectric and elastic tensors of crystals from one pass of an equivariant network.

Importing the package adds the method `get_property` to `ase.Atoms` if ASE has none; nothing else
is changed.
"""

from .calculator import EqTensorCalculator, add_get_property
from .models.store import available_models, load_model
from .prediction.predictor import Prediction
from .properties import PROPERTIES

__all__ = ["PROPERTIES", "EqTensorCalculator", "Prediction", "available_models", "load_model"]

add_get_property()


def __getattr__(name: str) -> str:
    if name == "__version__":  # looked up when asked for: reading metadata takes time
        from importlib.metadata import version

        return version("ase-eqtensor")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
