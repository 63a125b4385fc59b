"""Registration with ASE, for programs that find calculators by name.

ASE loads this module when it looks for plugins, which is experimental: `ase info --plugins` lists
us, and `ase.calculators.calculator.get_calculator_class("eqtensor")` knows us from then on.
Importing the package alone registers nothing.
"""

from ase.calculators.calculator import external_calculators, register_calculator_class

from .calculator import EqTensorCalculator

NAME = "eqtensor"

try:
    from ase._4.plugins.plugin import CalculatorPlugin
except ImportError:  # an ASE without plugins, or with other ones
    __ase_plugins__: set = set()
else:
    __ase_plugins__ = {
        CalculatorPlugin(
            NAME,
            citation="ase-eqtensor, see CITATION.cff",
            implementation="ase_eqtensor.calculator.EqTensorCalculator",
        )
    }

if NAME not in external_calculators:  # ASE refuses a name twice
    register_calculator_class(NAME, EqTensorCalculator)
