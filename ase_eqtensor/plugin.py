"""Registration with ASE's plugin system, which is experimental: `ase info --plugins` lists us."""

try:
    from ase._4.plugins.plugin import CalculatorPlugin
except ImportError:  # an ASE without plugins, or with other ones
    __ase_plugins__: set = set()
else:
    __ase_plugins__ = {
        CalculatorPlugin(
            "eqtensor",
            citation="ase-eqtensor, see CITATION.cff",
            implementation="ase_eqtensor.calculator.EqTensorCalculator",
        )
    }
