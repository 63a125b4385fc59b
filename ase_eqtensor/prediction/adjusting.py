"""Settings of a calculator as ASE has them: `set`, `parameters`, attributes that take effect."""

from collections.abc import Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn
from warnings import warn

from ..crystal.validation import describe
from ..errors import SettingError, UnknownSettingWarning
from ..models.store import Model, load_model
from .notebook import prediction_html, settings_html
from .partner import Chosen, Partner
from .predictor import Predictor
from .settings import Settings
from .shared import SharedCalculator

NAMES = ("model", "partner", *(field.name for field in fields(Settings)))


class Setting:
    """A setting as an attribute of a calculator; assigning to it is `set`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, calculator, owner: type | None = None) -> Any:
        return self if calculator is None else getattr(calculator.predictor.settings, self.name)

    def __set__(self, calculator, value) -> None:
        calculator.set(**{self.name: value})


class ShownSettings(dict):
    """Settings by name, as `parameters` of an ASE calculator; it is `set` that changes them."""

    def _refuse(self, *_, **__) -> NoReturn:
        raise TypeError("`parameters` only shows the settings: change them with calc.set(...)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse

    def __reduce__(self):
        return ShownSettings, (dict(self),)


class AdjustableCalculator(SharedCalculator):
    """A calculator that runs a model with `Settings`, all of which can be changed later."""

    nolabel = True  # is no setting, says ASE's word for it: `ase run` gives none then
    predictor: Predictor
    device, dtype, project = Setting(), Setting(), Setting()
    reduce_cell, symprec, allow_untrained_elements = Setting(), Setting(), Setting()
    prefer_known, level = Setting(), Setting()

    @property
    def model(self) -> Model:
        """The model in use, with its card."""
        return self.predictor.model

    @model.setter
    def model(self, model: str | Path | Model | None) -> None:
        self.set(model=model)

    @property
    def partner(self) -> Partner | None:
        """The potential beside the network, with its card; None without."""
        return self.predictor.partner

    @partner.setter
    def partner(self, partner: Chosen) -> None:
        self.set(partner=partner)

    def set(self, **changes) -> dict[str, Any]:
        """Change settings, or the model, by the names that the class takes.

        Returns what has changed. Any change ends the cached results.

        Raises SettingError for a misspelt name or an impossible value; nothing is changed then.
        Names that resemble no setting are ignored with an UnknownSettingWarning.
        """
        if not changes:  # ASE's constructor calls it so, before there are any
            return {}
        changes = _of_calculator(changes)
        model, partner = (changes.pop(name, getattr(self, name)) for name in ("model", "partner"))
        changed = self.predictor.settings.changed(**changes)
        if model is not self.model:
            changed["model"] = model
        if partner is not self.partner:
            changed["partner"] = partner
        if changed:
            self._run(model, replace(self.predictor.settings, **changes), partner)
        return changed

    def _repr_html_(self) -> str:
        """Settings and the last calculation, for notebooks."""
        shown = settings_html(type(self).__name__, self.parameters)
        if self.prediction is not None and self.atoms is not None:
            shown += prediction_html(self.prediction, describe(self.atoms))
        return shown

    def _run(
        self,
        model: str | Path | Model | None,
        settings: Settings,
        partner: Chosen | Partner = None,
    ) -> None:
        """Use a model with these settings, and this partner, from now on."""
        loaded = model if isinstance(model, Model) else load_model(model)
        placed = loaded.on(settings.device, settings.torch_dtype)
        if partner is not None:
            chosen = partner.chosen if isinstance(partner, Partner) else partner
            partner = Partner.of(chosen, placed)  # another model needs another card
        self.predictor = Predictor(placed, settings, partner)  # what the last one made ends with it
        self.implemented_properties = list(placed.quantities)
        name = None if partner is None else partner.name
        self.parameters = ShownSettings({"model": placed.name, "partner": name} | vars(settings))


def _of_calculator(changes: dict[str, Any], names: Sequence[str] = NAMES) -> dict[str, Any]:
    """Those of `changes`, name -> value, whose name is among `names`.

    Raises SettingError for a name that resembles one of them. Another may be meant for another
    calculator, where a program passes the same keywords to several: a warning names it.
    """
    unknown = [name for name in changes if name not in names]
    offered = f"EqTensorCalculator has no such setting, only {', '.join(names)}"
    for name in unknown:
        if close := get_close_matches(name, names, 1):
            raise SettingError(f"{name}={changes[name]!r}: {offered}. Did you mean {close[0]!r}?")
    if unknown:
        listed = ", ".join(f"{name}={changes[name]!r}" for name in unknown)
        warn(UnknownSettingWarning(f"{listed} is ignored: {offered}."), stacklevel=3)
    return {name: value for name, value in changes.items() if name in names}
