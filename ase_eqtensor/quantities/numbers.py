"""Numbers as a reader wants them: few digits, no exponents, a true minus sign."""

import numpy as np


def number(value: float) -> str:
    """Three significant digits: "1230", "0.251", "−12.3"; "–" for NaN."""
    if value == 0 or not np.isfinite(value):
        return "0" if value == 0 else "–"
    value = float(f"{value:.3g}")
    return fixed(value, max(2 - int(np.floor(np.log10(abs(value)))), 0))


def fixed(value: float, decimals: int) -> str:
    """With so many decimals, and never "-0.0"."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")


def with_unit(value: float, unit: str) -> str:
    """A number and its unit, "123 GPa"; a pure number alone."""
    return f"{number(value)} {unit}".strip()


def span(ends: tuple[float, float] | None) -> str:
    """An interval, "110 to 130"; "" for None, and of a zero without error what makes it so."""
    if ends == (0, 0):
        return "by symmetry"
    return "" if ends is None else " to ".join(map(number, ends))


def direction(vector: np.ndarray) -> str:
    """Cartesian components of a unit vector (3,): "(0.71, 0, −0.71)"."""
    return "(" + ", ".join(f"{x:g}".replace("-", "−") for x in np.round(vector, 2) + 0.0) + ")"
