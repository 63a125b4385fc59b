"""Dielectric and elastic tensors of crystals from one pass of an equivariant network.

Importing the package adds the method `get_property` to `ase.Atoms` if ASE has none; nothing else
is changed.
"""

from importlib.metadata import version

from .calculator import EqTensorCalculator, add_get_property
from .prediction import Prediction
from .pretrained import available_models, load_model
from .properties import PROPERTIES

__all__ = ["PROPERTIES", "EqTensorCalculator", "Prediction", "available_models", "load_model"]
__version__ = version("ase-eqtensor")

add_get_property()
