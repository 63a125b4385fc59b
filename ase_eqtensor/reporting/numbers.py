"""Numbers as a reader wants them: few digits, no exponents, a true minus sign."""

import re
from html import escape

import numpy as np
from markupsafe import Markup


def number(value: float) -> str:
    """Three significant digits: "1230", "0.251", "−12.3"; "–" for NaN."""
    if value == 0 or not np.isfinite(value):
        return "0" if value == 0 else "–"
    value = float(f"{value:.3g}")
    return fixed(value, max(2 - int(np.floor(np.log10(abs(value)))), 0))


def fixed(value: float, decimals: int) -> str:
    """With so many decimals, and never "-0.0"."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def direction(vector: np.ndarray) -> str:
    """Cartesian components of a unit vector (3,): "(0.71, 0, −0.71)"."""
    return "(" + ", ".join(f"{x:g}".replace("-", "−") for x in np.round(vector, 2) + 0.0) + ")"


def formula_markup(formula: str) -> Markup:
    """A formula with subscripts, as HTML."""
    return Markup(re.sub(r"(\d+(?:\.\d+)?)", r"<sub>\1</sub>", escape(formula)))


def space_group_markup(symbol: str) -> Markup:
    """A Hermann-Mauguin symbol with subscripts for "_1", as HTML."""
    return Markup(re.sub(r"_(\d)", r"<sub>\1</sub>", escape(symbol)))
