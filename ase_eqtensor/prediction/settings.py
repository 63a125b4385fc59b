"""How a model is run: the settings that calculator, commands and screens share."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ..crystal.symmetry import DEFAULT_SYMPREC, MAX_SYMPREC
from ..errors import SettingError

DTYPES = ("float32", "float64")
FIRST_PRINCIPLES, MEASURED = LEVELS = ("first principles", "measured")


def devices() -> list[str]:
    """The torch devices of this machine that a network can run on."""
    there = ["cpu"]
    for kind in ("cuda", "xpu"):
        if getattr(torch, kind).is_available():
            there += [f"{kind}:{i}" for i in range(getattr(torch, kind).device_count())]
    return there


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a prediction, passed as a whole from the calculator to the preparation.

    device: torch device of the network, "cpu", "cuda", "cuda:1", ...
    dtype: precision of the network, "float32" or "float64"; the tensor algebra and all results are
        float64 in either case.
    project: make tensors exactly invariant under the crystal's point group.
    reduce_cell: predict on the primitive cell; results are in the given cell's frame anyway.
    symprec: tolerance in Å of the symmetry search.
    allow_untrained_elements: predict for elements that the training data of a quantity lack, with a
        warning, instead of refusing that quantity.
    prefer_known: where the training data have the first-principles tensor of this very structure,
        give that, see `Prediction.known`.
    level: "first principles", the level of theory of the training data, or "measured", what a
        measurement at room temperature would find: tensors and bounds are corrected by what is
        known of the difference.

    Raises SettingError for a device that this machine lacks, for a dtype, symprec or level that
    does not exist, and for settings that contradict each other.
    """

    device: str = "cpu"
    dtype: str = "float32"
    project: bool = True
    reduce_cell: bool = True
    symprec: float = DEFAULT_SYMPREC
    allow_untrained_elements: bool = False
    prefer_known: bool = False
    level: str = FIRST_PRINCIPLES

    def __post_init__(self):
        object.__setattr__(self, "device", str(self.device))  # of a torch.device
        if self.device != "cpu":  # other devices take long to be looked for
            _check_device(self.device)
        if self.dtype not in DTYPES:
            raise SettingError(f"dtype={self.dtype!r}: choose 'float32' or 'float64'")
        if self.level not in LEVELS:
            raise SettingError(f"level={self.level!r}: choose {' or '.join(map(repr, LEVELS))}")
        if self.level == MEASURED and self.prefer_known:
            raise SettingError(
                "level='measured' and prefer_known=True: known values are those of first "
                "principles; choose one of the two"
            )
        if not 0 < self.symprec <= MAX_SYMPREC:
            raise SettingError(f"symprec={self.symprec!r}: choose a length in (0, {MAX_SYMPREC}] Å")

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    def identity(self) -> dict:
        """What results depend on: all but the device, JSON-able."""
        settings = asdict(self)
        del settings["device"]
        return settings

    def changed(self, **changes) -> dict[str, Any]:
        """Those of `changes`, setting -> value, that differ from these settings.

        Raises SettingError as the class does.
        """
        new, old = asdict(replace(self, **changes)), asdict(self)
        return {name: new[name] for name in changes if new[name] != old[name]}


def _check_device(device: str) -> None:
    """Raise SettingError for a device, by its name, that PyTorch does not find."""
    there = devices()
    if device not in there and device not in {name.partition(":")[0] for name in there}:
        raise SettingError(
            f"device={device!r}: PyTorch {torch.__version__} finds {', '.join(map(repr, there))} "
            "here and nothing else; choose from these, or install the PyTorch build and the driver "
            "of your accelerator"
        )


DEFAULTS = Settings()
