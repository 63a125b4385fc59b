"""How a model is run: the settings that calculator, commands and screens share."""

from dataclasses import asdict, dataclass

import torch

from ..crystal.symmetry import DEFAULT_SYMPREC, MAX_SYMPREC

DTYPES = ("float32", "float64")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a prediction, passed as a whole from the calculator to the preparation.

    device: torch device of the network.
    dtype: precision of the network, "float32" or "float64"; the tensor algebra and all results are
        float64 in either case.
    project: make tensors exactly invariant under the crystal's point group.
    reduce_cell: predict on the primitive cell; results are in the given cell's frame anyway.
    symprec: tolerance in Å of the symmetry search.
    allow_untrained_elements: predict for elements that the training data of a quantity lack, with a
        warning, instead of refusing that quantity.

    Raises ValueError for a dtype or symprec that there is not.
    """

    device: str = "cpu"
    dtype: str = "float32"
    project: bool = True
    reduce_cell: bool = True
    symprec: float = DEFAULT_SYMPREC
    allow_untrained_elements: bool = False

    def __post_init__(self):
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r}: choose 'float32' or 'float64'")
        if not 0 < self.symprec <= MAX_SYMPREC:
            raise ValueError(f"symprec={self.symprec!r}: choose a length in (0, {MAX_SYMPREC}] Å")

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    def identity(self) -> dict:
        """What results depend on: all but the device, JSON-able."""
        settings = asdict(self)
        del settings["device"]
        return settings


DEFAULTS = Settings()
