"""How notebooks show a prediction: small tables in HTML, with nothing but the standard library."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import numpy as np

from ..models.uncertainty import LEVELS
from ..quantities import QUANTITIES, Quantity
from ..quantities.numbers import fixed, span, with_unit
from .prediction import Prediction

_SIDE_BY_SIDE = "display:flex;flex-wrap:wrap;gap:0 2rem;align-items:flex-start"
_RIGHT = "text-align:right"
_WARNED = "color:#b42318;font-weight:600"  # readable on white and on black


def prediction_html(prediction: Prediction, title: str = "") -> str:
    """Warnings, main numbers and tensors of a prediction with their 90 % bounds.

    Args:
        prediction: of a crystal.
        title: what it is of; "" for none.
    """
    heading = f"<h4>{escape(title)}</h4>" if title else ""
    told = [
        f'<p><span style="{_WARNED}">{escape(flag.replace("_", " "))}</span>{_concerned(names)}</p>'
        for flag, names in prediction.concerns.items()
    ]
    told += [f"<p>{escape(str(error))}</p>" for error in dict.fromkeys(prediction.refused.values())]
    tensors = [QUANTITIES[name] for name in prediction.tensors]
    tables = [_numbers(prediction), *(_tensor(prediction, q) for q in tensors if not q.inverse_of)]
    model = escape(f"model {prediction.provenance['model']}") if prediction.tensors else ""
    body = f'<div style="{_SIDE_BY_SIDE}">{"".join(tables)}</div>' if prediction.tensors else ""
    return f"<div>{heading}{''.join(told)}{body}<p><small>{model}</small></p></div>"


def settings_html(name: str, settings: Mapping[str, Any]) -> str:
    """A calculator by its class and settings."""
    rows = "".join(
        f"<tr><th>{escape(key)}</th><td>{escape(repr(value))}</td></tr>"
        for key, value in settings.items()
    )
    details = f"<details><summary>settings</summary><table>{rows}</table></details>"
    return f"<h4>{escape(name)}</h4>{details}"


def _concerned(names: Iterable[str]) -> str:
    nouns = ", ".join(QUANTITIES[name].noun for name in names)
    return f": {escape(nouns)}" if nouns else ""


def _numbers(prediction: Prediction) -> str:
    """The headline scalars."""
    rows = [
        _row(
            scalar.label,
            with_unit(prediction.scalars[scalar.name], scalar.unit),
            prediction.known.get(name) or span(prediction.interval(scalar.name)),
        )
        for name in prediction.tensors
        for scalar in QUANTITIES[name].scalars
        if scalar.headline
    ]
    head = "<tr><td></td><th>predicted</th><th>90 % interval</th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _row(label: str, *values: str) -> str:
    cells = "".join(f'<td style="{_RIGHT}">{escape(value)}</td>' for value in values)
    return f'<tr><th style="text-align:left">{escape(label)}</th>{cells}</tr>'


def _entry(value: float, decimals: int) -> str:
    """A zero without decimals is one by symmetry."""
    return f'<td style="{_RIGHT}">{fixed(value, decimals) if value else "0"}</td>'


def _tensor(prediction: Prediction, quantity: Quantity) -> str:
    """A tensor in the unit in which people print it, and what is known of its error."""
    display, tensor = quantity.display, prediction.tensors[quantity.name]
    title = f"{display.title}, {display.unit}" if display.unit else display.title
    rows = "".join(
        "<tr>" + "".join(_entry(x, display.decimals) for x in row) + "</tr>"
        for row in display.scale * np.asarray(tensor)
    )
    below = ""
    if quantity.name in prediction.known:
        below = f"from first principles: {prediction.known[quantity.name]}"
    elif not np.any(tensor):
        below = "zero by symmetry"
    elif quantity.name in prediction.uncertainty:
        bound = prediction.uncertainty[quantity.name].relative_error[max(LEVELS)]
        below = f"error below {100 * bound:.0f} % in 90 % of crystals"
    return (
        f"<table><caption>{escape(title)}</caption>{rows}"
        f'<tr><td colspan="{tensor.shape[1]}"><small>{escape(below)}</small></td></tr></table>'
    )
