"""Typed exceptions and warnings of the package.

Every error names the structure or file, the offending value and a remedy. Every warning carries
`flag`, a short machine-readable word that is also recorded with the prediction.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

ErrorT = TypeVar("ErrorT", bound=Exception)


class EqTensorError(Exception):
    """Base class of every error that this package raises on purpose."""


class StructureError(EqTensorError, ValueError):
    """The crystal cannot be described by this model (no periodicity, overlapping atoms, ...)."""


class ElementError(StructureError):
    """An element that does not exist, or that the training data of a property lack."""


class ModelError(EqTensorError):
    """Weights that are missing, damaged, of another architecture, or an unknown model name."""


class DataError(EqTensorError, ValueError):
    """Training data that cannot be obtained, read or used."""


class UnwritableError(DataError):
    """A file or database that could not be written, whatever its content."""


class OutputExistsError(DataError, FileExistsError):
    """A file that would have been replaced without being asked to."""


class RecipeError(EqTensorError, ValueError):
    """A recipe with an unknown field or a value out of range."""


class SettingError(EqTensorError, ValueError):
    """A setting that does not exist, or a value that it cannot have on this machine."""


class PartnerError(EqTensorError):
    """A calculator beside the network could not say anything about a crystal."""


class NothingCalculatedError(EqTensorError, RuntimeError):
    """A calculator was asked about its last crystal before it had one."""


class MissingExtraError(EqTensorError, ImportError):
    """A library of an extra that is not installed; the message names the extra."""


class EqTensorWarning(UserWarning):
    """Base class of the package's warnings.

    flag: the machine-readable word for it.
    properties: names of the properties that it concerns; None stands for all.
    """

    flag = "warning"

    def __init__(self, message: str, properties: tuple[str, ...] | None = None):
        super().__init__(message)
        self.properties = properties


class MetalWarning(EqTensorWarning):
    """A dielectric tensor was asked for a likely metal, which has no static one."""

    flag = "likely_metal"


class MagneticWarning(EqTensorWarning):
    """Magnetic moments are present; the model and its cell reduction ignore them."""

    flag = "magnetic_moments_ignored"


class VacuumWarning(EqTensorWarning):
    """The cell holds a slab, wire or molecule with vacuum; the model knows bulk crystals."""

    flag = "vacuum"


class UntrainedElementWarning(EqTensorWarning):
    """An element absent from the training data was accepted on request."""

    flag = "untrained_element"


class BorrowedElementWarning(EqTensorWarning):
    """An element occurs in no first-principles training data, in labels of a potential only."""

    flag = "element_from_potential"


class UnknownSymmetryWarning(EqTensorWarning):
    """The symmetry search failed: no projection, no cell reduction, all site classes unknown."""

    flag = "symmetry_unknown"


class BorderlineSymmetryWarning(EqTensorWarning):
    """A symmetry holds or fails closely: another tolerance would give another point group."""

    flag = "symmetry_borderline"


class UnfamiliarWarning(EqTensorWarning):
    """The crystal is unlike the training data: its error estimate is unusually large."""

    flag = "unlike_training_data"


class StrainedWarning(EqTensorWarning):
    """The atoms are much closer together, or farther apart, than such atoms are at rest."""

    flag = "far_from_rest"


class UnstableWarning(EqTensorWarning):
    """The crystal may not resist some strain; a predicted stiffness cannot say so."""

    flag = "possibly_unstable"


class SoftModeWarning(EqTensorWarning):
    """The ionic part of the permittivity may be large, and far larger than predicted."""

    flag = "soft_mode_possible"


class PartnerWarning(EqTensorWarning):
    """The calculator beside the network says nothing about a tensor: it is the network's alone."""

    flag = "network_alone"


class UnknownSettingWarning(EqTensorWarning):
    """A calculator was told to set something that is no setting of it, and ignored it."""

    flag = "unknown_setting"


class FailedCrystalsWarning(EqTensorWarning):
    """Some crystals of a list could not be predicted; their entries hold the errors."""

    flag = "failed_crystals"


def located(error: ErrorT, place: str) -> ErrorT:
    """The error with a place before its message: the same type, cause, traceback and attributes.

    Its constructor is not called, which may want other arguments. The error itself is left alone,
    because several entries of a list may share it.
    """
    text = f"{place}: {error}"
    # of several built-in bases, the one that rules the layout; others refuse to make the object
    base: Any = type(error).__base__
    copy = base.__new__(type(error), text)
    copy.__dict__.update(error.__dict__)
    copy.args = (text, *error.args[1:])
    copy.__cause__, copy.__traceback__ = error.__cause__, error.__traceback__
    return copy


def counted(count: int, noun: str, plural: str = "") -> str:
    """ "1 crystal", "2 crystals"; the plural where an s does not make it."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: " (did you mean ...?)", or nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
