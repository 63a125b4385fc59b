"""ASE calculators that label crystals, by name."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ..errors import DataError
from ..extras import extra


@dataclass(frozen=True)
class Teacher:
    """A calculator and what its numbers are worth.

    name: of the calculator, or "module:callable" of something that makes one.
    level_of_theory: what it was fitted to, or computes itself.
    make: makes a new calculator.
    library: what it comes from, with its version.
    """

    name: str
    level_of_theory: str
    make: Callable[[], BaseCalculator]
    library: str


def _sevennet(name: str) -> BaseCalculator:
    with extra("teacher"):
        from sevenn.calculator import SevenNetCalculator
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No tensor product accelerator")  # as on every processor
        return SevenNetCalculator(name)


# SevenNet's potentials (Y. Park et al., J. Chem. Theory Comput. 20, 4857, 2024) of one level of
# theory, the weights of which come with the package.
SEVENNET = {
    "7net-l3i5": "PBE and PBE+U, fitted to MPtrj",
    "7net-0": "PBE and PBE+U, fitted to MPtrj",
}


def teacher(name: str, level_of_theory: str = "") -> Teacher:
    """The calculator of that name: one of `SEVENNET`, or "module:callable" for any other.

    Raises DataError if there is none, or nothing says what level of theory it has;
    MissingExtraError without the extra `teacher`.
    """
    if name in SEVENNET:
        with extra("teacher"):
            import sevenn  # noqa: F401 (is it there?)
        return Teacher(name, SEVENNET[name], partial(_sevennet, name), _library("sevenn"))
    module, _, attribute = name.partition(":")
    if not attribute:
        raise DataError(
            f"unknown calculator {name!r}: choose from {', '.join(SEVENNET)}, or name what makes "
            "an ASE calculator as module:callable (ase.calculators.emt:EMT)"
        )
    if not level_of_theory:
        raise DataError(f"the level of theory of {name} is not known: state it (--level)")
    try:
        make = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise DataError(
            f"there is no calculator {name} ({error}): install its library, or correct the name"
        ) from error
    return Teacher(name, level_of_theory, make, _library(module.partition(".")[0]))


@cache
def calculator(name: str, level_of_theory: str = "") -> BaseCalculator:
    """The calculator of a name, made once in each process. Raises what `teacher` raises."""
    return teacher(name, level_of_theory).make()


def reference(potential: BaseCalculator) -> float | None:
    """Energy (eV) of two atoms of silicon, a little displaced, by which a calculator is recognised;
    None where it cannot calculate it."""
    half = 5.43 / 2
    cell = half * (1 - np.eye(3))
    silicon = Atoms("Si2", [(0.1, 0, 0), (half / 2,) * 3], cell=cell, pbc=True)
    silicon.calc = potential
    try:
        return float(silicon.get_potential_energy())
    except Exception:  # calculators raise whatever a crystal leads them to
        return None


def _library(module: str) -> str:
    distributions = packages_distributions().get(module, [])
    try:
        return f"{distributions[0]} {version(distributions[0])}"
    except (LookupError, PackageNotFoundError):
        return module  # a module of the user's own
