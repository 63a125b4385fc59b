"""The rotatable pictures of tensors (plotly), in the Cartesian frame of the crystal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import plotly.graph_objects as go

from ..quantities import Quantity, Surface
from ..quantities.numbers import direction, number
from .words import flag_words

POLAR, AZIMUTH = 37, 73  # points of a surface, 5 degrees apart: axes and diagonals are there
BITS = 14  # of the greatest coordinate or value that a picture keeps: trailing zeros pack well
ISOTROPIC = 1e-4  # relative difference between directions that is not worth a colour scale
NOTHING = 1e-9  # in a picture's unit: rounding noise of a function that vanishes identically
DARK = "#1f2933"
ZOOM = 1.8  # of a surface within its frame
FONT = {"family": "system-ui, sans-serif", "size": 12, "color": DARK}
AXIS_COLOR = {"xyz": DARK, "abc": "#b45309"}
CAMERA = {"projection": {"type": "orthographic"}, "eye": {"x": 1.1, "y": -1.35, "z": 0.8}}


@dataclass(frozen=True)
class Picture:
    """A figure and what a page says about it.

    key: its id in the page.
    choices: names of its first traces, if a reader is to choose one of them.
    caption: what is drawn, and the extremes in words.
    """

    key: str
    title: str
    figure: go.Figure
    caption: str
    choices: tuple[str, ...] = ()


def sphere() -> np.ndarray:
    """Unit vectors (POLAR, AZIMUTH, 3) from +z to -z, the first and last azimuth the same."""
    polar = np.linspace(0, np.pi, POLAR)[:, None]
    azimuth = np.linspace(0, 2 * np.pi, AZIMUTH)[None, :]
    z = np.broadcast_to(np.cos(polar), (POLAR, AZIMUTH))
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), z], axis=-1)


def surface_pictures(
    quantity: Quantity, tensor: np.ndarray, cell: np.ndarray | None, flags: tuple[str, ...] = ()
) -> list[Picture]:
    """The surfaces of a quantity; none of a tensor, or a function of it, that symmetry forbids.

    Args:
        quantity: which.
        tensor: (*shape) in the user's form and unit.
        cell: (3, 3) lattice vectors as rows, whose directions are drawn; None for no crystal.
        flags: of the warnings that concern it, written into the figures.
    """
    if not np.any(tensor):
        return []
    drawn = (surface_picture(surface, tensor, cell, flags) for surface in quantity.surfaces)
    return [picture for picture in drawn if picture is not None]


def surface_picture(
    surface: Surface, tensor: np.ndarray, cell: np.ndarray | None, flags: tuple[str, ...] = ()
) -> Picture | None:
    """The sheets of a surface on one scale; the first is shown, the others on request. None where
    all of it is zero. Arguments as of `surface_pictures`."""
    n = sphere()
    unit = f"{surface.unit} " if surface.unit else ""
    values = surface.of(tensor, n)  # (POLAR, AZIMUTH, k)
    if np.abs(values).max() < NOTHING:
        return None
    distance = np.moveaxis(np.abs(values), -1, 0)[..., None]
    points = (n @ tensor)[None] if surface.ellipsoid else distance * n
    low, high, reach = values.min(), values.max(), np.abs(points).max()
    flat = high - low < ISOTROPIC * abs(high)
    pad = 0.05 * abs(high) if flat else 0.0
    traces: list[go.Surface | go.Scatter3d] = [
        go.Surface(
            **xyz(_short(points[i])), surfacecolor=_short(values[..., i]), name=name,
            text=_hover_text(values[..., i], unit), hoverinfo="text",
            cmin=low - pad, cmax=high + pad, colorscale="Viridis", visible=i == 0,
            showscale=not flat, colorbar=_COLORBAR, lighting=_LIGHT,
            contours={axis: {"highlight": False} for axis in "xyz"},
        )
        for i, name in enumerate(surface.sheets)
    ]  # fmt: skip
    directions = [(np.eye(3), "xyz", 1.2)]
    if cell is not None:
        directions.append((cell / np.linalg.norm(cell, axis=1, keepdims=True), "abc", 1.45))
    for ends, letters, reached in directions:
        traces += axes(reached * reach * ends, letters)
    hidden = {"visible": False, "range": [-1.7 * reach, 1.7 * reach]}
    scene = {
        **{f"{name}axis": hidden for name in "xyz"}, "aspectmode": "manual", "camera": CAMERA,
        "aspectratio": dict.fromkeys("xyz", ZOOM),
        "domain": {"y": [0.08, 0.78 if flags else 0.92]},
    }  # fmt: skip
    notes = [_flagged(flags)] if flags else []
    figure = go.Figure(traces, {**layout(), "scene": scene, "annotations": notes})
    caption = surface.caption
    if low < 0:
        caption += " Where it is negative, the distance is the absolute value."
    found = extremes(lambda directions: surface.of(tensor, directions), n, values)
    said = " ".join(_in_words(name, unit, *found[i]) for i, name in enumerate(surface.sheets))
    names = surface.sheets if len(surface.sheets) > 1 else ()
    heading = f"{surface.title}, {surface.unit}" if surface.unit else surface.title
    return Picture(surface.key, heading, figure, f"{caption} {said}", names)


Extreme = tuple[float, np.ndarray]


def extremes(
    of: Callable[[np.ndarray], np.ndarray], n: np.ndarray, values: np.ndarray
) -> list[tuple[Extreme, Extreme]]:
    """The least and the greatest value of each of k functions, with a direction (3,) of it.

    Args:
        of: directions (..., 3) to values (..., k).
        n: (..., 3) directions to begin with, about pi/POLAR apart. values: (..., k) there.
    """
    k, signs, width = values.shape[-1], np.array([-1, 1]), np.pi / (POLAR - 1)
    near = np.broadcast_to(n.reshape(-1, 3), (k, 2, n.size // 3, 3))
    found = np.broadcast_to(values.reshape(-1, k).T[:, None], near.shape[:-1])
    while True:
        # rounding lets the first of directions that are equal by symmetry win
        size = np.maximum(np.abs(found).max(axis=(1, 2), keepdims=True), 1e-300)
        best = (signs[:, None] * found / size).round(9).argmax(axis=-1)[..., None]
        value = np.take_along_axis(found, best, axis=-1)[..., 0]
        at = np.take_along_axis(near, best[..., None], axis=-2)[..., 0, :]
        if width < 1e-4:
            break
        near = at[..., None, :] + width * _AROUND
        near /= np.linalg.norm(near, axis=-1, keepdims=True)
        found = _own(of(near))
        width /= 2
    return [((float(value[i, 0]), at[i, 0]), (float(value[i, 1]), at[i, 1])) for i in range(k)]


def _own(values: np.ndarray) -> np.ndarray:
    """Of values (k, ..., k) the i-th function at the i-th directions, (k, ...)."""
    return np.stack([values[i, ..., i] for i in range(len(values))])


def _flagged(flags: tuple[str, ...]) -> dict:
    """The annotation that says so."""
    words = ", ".join(flag_words(flag) for flag in flags)
    return {
        "text": f"<b>Do not trust blindly:<br>{words}</b>", "x": 0.5, "y": 1, "xref": "paper",
        "yref": "paper", "yanchor": "top", "yshift": -28, "showarrow": False,
        "font": {"size": 14, "color": "#8a1c1c"}, "bgcolor": "rgba(255,255,255,0.85)",
        "bordercolor": "#8a1c1c", "borderpad": 4,
    }  # fmt: skip


@cache
def _directions() -> list[str]:
    """What the directions of `sphere` are called."""
    return [direction(n) for n in sphere().reshape(-1, 3)]


def _hover_text(values: np.ndarray, unit: str) -> np.ndarray:
    """Value and direction of every point; plotly wants an array of objects. Its templates look up
    surfaces with rows and columns exchanged (plotly.js 4), so they are of no use here."""
    named = zip(values.ravel(), _directions())
    text = [f"{number(value)} {unit}along<br>{name}" for value, name in named]
    return np.array(text, dtype=object).reshape(values.shape)


def _in_words(name: str, unit: str, low: Extreme, high: Extreme) -> str:
    """A sentence with the smallest and largest value of a sheet and where they are."""
    name = name[0].upper() + name[1:]
    if high[0] - low[0] < ISOTROPIC * abs(high[0]):
        return f"{name}: {number(low[0])} {unit}in all directions."
    least, greatest = (f"{number(value)} {unit}along {direction(n)}" for value, n in (low, high))
    return f"{name}: from {least} to {greatest}."


def axes(ends: np.ndarray, names: str) -> list[go.Scatter3d]:
    """Lines from the origin to `ends` (3, 3), with names slightly beyond."""
    lines = np.array([[np.zeros(3), end, np.full(3, np.nan)] for end in ends]).reshape(-1, 3)
    common, color = {"hoverinfo": "skip", "showlegend": False}, AXIS_COLOR[names]
    return [
        go.Scatter3d(**xyz(lines), **common, mode="lines", line={"color": color, "width": 3}),
        go.Scatter3d(
            **xyz(1.1 * ends), **common, mode="text", text=list(names),
            textfont={"size": 15, "color": color},
        ),
    ]  # fmt: skip


def xyz(points: np.ndarray) -> dict[str, np.ndarray]:
    """Points (..., 3) as plotly wants them."""
    return dict(zip("xyz", np.moveaxis(points, -1, 0)))


def layout() -> dict:
    """What all pictures have in common."""
    return {"margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "font": FONT, "template": "none"}


def _short(values: np.ndarray) -> np.ndarray:
    """Single precision, `BITS` of the greatest value."""
    step = 2.0 ** (np.floor(np.log2(np.abs(values).max())) - BITS)
    return (np.round(values / step) * step).astype(np.float32)


_AROUND = np.array([(0, 0, 0), *(v for v in product((-1, 0, 1), repeat=3) if any(v))])
_LIGHT = {"ambient": 0.85, "diffuse": 0.35, "specular": 0.05, "roughness": 0.9}
_COLORBAR = {
    "orientation": "h", "y": 0, "yanchor": "bottom", "thickness": 12, "len": 0.8, "nticks": 6,
    "outlinewidth": 0,
}  # fmt: skip
