"""Answers that give no training row."""

from ase_eqtensor.train.record import Rejection


class Unusable(ValueError):
    """An answer that is well formed and still gives no row; the message is the reason."""


def rejection(dataset: str, source_id: str, formula: str, error: Exception) -> Rejection:
    """The rejection of an answer in which `error` was found."""
    known = isinstance(error, Unusable)
    reason = str(error) if known else f"unreadable: {type(error).__name__}: {error}"
    return Rejection(dataset, source_id, formula, reason)
