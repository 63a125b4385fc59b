"""Answers that give no training row."""

from ase_eqtensor.train.record import Rejection


class Unusable(ValueError):
    """A well-formed answer that gives no row; the message is the reason."""


def rejection(dataset: str, source_id: str, formula: str, error: Exception) -> Rejection:
    """The rejection of an answer whose reading raised `error`."""
    foreseen = isinstance(error, Unusable)
    reason = str(error) if foreseen else f"unreadable: {type(error).__name__}: {error}"
    return Rejection(dataset, source_id, formula, reason)
