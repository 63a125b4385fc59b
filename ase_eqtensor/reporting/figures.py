"""The interactive pictures of a report (plotly), all in the Cartesian frame of the crystal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import plotly.graph_objects as go
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors

from ..quantities import Quantity
from .numbers import direction, number

POLAR, AZIMUTH = 49, 97  # points of a surface, 3.75 degrees apart: axes and diagonals are there
ISOTROPIC = 1e-4  # relative difference between directions that is not worth a colour scale
FACE = 1e-3  # fractional distance to a face within which an atom is drawn on both sides
DARK = "#1f2933"
ZOOM = 1.8  # of a surface within its frame
BEYOND = 1.5  # Å by which the names of the cell vectors stand off the cell
FONT = {"family": "system-ui, sans-serif", "size": 12, "color": DARK}


@dataclass(frozen=True)
class Picture:
    """A figure and what a page says about it.

    key: its id in the page.
    choices: names of its traces, if a reader is to choose one of them.
    caption: what is drawn, and the extremes in words.
    """

    key: str
    title: str
    figure: go.Figure
    caption: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Branch:
    """A function on the sphere of directions.

    name: of the function.
    of: directions (..., 3) to its values (...).
    points: directions (..., 3) and values (...) to where they are drawn, (..., 3).
    """

    name: str
    of: Callable[[np.ndarray], np.ndarray]
    points: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def extreme(self, sign: int) -> tuple[float, np.ndarray]:
        """The largest value of `sign` times the function, and a direction (3,) where it is."""
        n, width = sphere().reshape(-1, 3), np.pi / (POLAR - 1)
        while True:
            # rounding lets the first of directions that are equal by symmetry win
            values = sign * self.of(n)
            best = n[values.round(9 - int(np.log10(np.abs(values).max()))).argmax()]
            if width < 1e-4:
                return float(self.of(best)), best
            n = best + width * _AROUND
            n /= np.linalg.norm(n, axis=1, keepdims=True)
            width /= 2


def sphere() -> np.ndarray:
    """Unit vectors (POLAR, AZIMUTH, 3) from +z to -z, the first and last azimuth the same."""
    polar = np.linspace(0, np.pi, POLAR)[:, None]
    azimuth = np.linspace(0, 2 * np.pi, AZIMUTH)[None, :]
    z = np.broadcast_to(np.cos(polar), (POLAR, AZIMUTH))
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), z], axis=-1)


def structure_picture(atoms: Atoms) -> Picture:
    """Atoms in the colours of jmol, those on faces and edges repeated, and the cell."""
    figure = go.Figure()
    corners = np.array(list(product((0, 1), repeat=3)))
    edges = [(a, b) for a in corners for b in corners if (b - a).sum() == 1 and (b >= a).all()]
    line = np.array([[a, b, [np.nan] * 3] for a, b in edges]).reshape(-1, 3) @ atoms.cell[:]
    figure.add_scatter3d(
        **_xyz(line), mode="lines", line={"color": "#52606d", "width": 3},
        name="cell", hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    index, scaled = _with_images(atoms)
    for z in dict.fromkeys(atoms.numbers.tolist()):
        alike = atoms.numbers[index] == z
        text = [
            f"{chemical_symbols[z]}, atom {i}<br>fractional {s[0]:.3f}, {s[1]:.3f}, {s[2]:.3f}"
            for i, s in zip(index[alike], scaled[alike])
        ]
        red, green, blue = (255 * jmol_colors[z]).round().astype(int)
        figure.add_scatter3d(
            **_xyz(scaled[alike] @ atoms.cell[:]), mode="markers", name=chemical_symbols[z],
            text=text, hovertemplate="%{text}<extra></extra>",
            marker={
                "size": 5 + 6 * covalent_radii[z], "color": f"rgb({red},{green},{blue})",
                "opacity": 1, "line": {"color": DARK, "width": 1},
            },
        )  # fmt: skip
    beyond = 1 + BEYOND / atoms.cell.lengths()[:, None]
    figure.add_traces(_axes(beyond * atoms.cell[:], "abc", _AXIS_COLOR["abc"]))
    axes = {f"{name}axis": {"visible": False} for name in "xyz"}
    figure.update_layout(
        **_layout(),
        scene={**axes, "aspectmode": "data", "camera": _CAMERA, "domain": {"y": [0, 0.92]}},
        legend={"orientation": "h", "x": 0, "y": 1},
    )
    caption = f"Cell of {atoms.symbols}. Atoms on its faces are repeated. Drag to rotate."
    return Picture("structure", "Unit cell", figure, caption)


def surface_pictures(
    quantity: Quantity, tensor: np.ndarray, cell: np.ndarray, flags: tuple[str, ...] = ()
) -> list[Picture]:
    """The surfaces of a quantity; none of a tensor that symmetry forbids.

    Args:
        quantity: which.
        tensor: (*shape) in the user's form and unit.
        cell: (3, 3) lattice vectors as rows; their directions are drawn.
        flags: of the warnings that concern it, written into the figures.
    """
    pictures: list[Picture] = []
    if not np.any(tensor):
        return pictures
    for surface in quantity.surfaces:
        points = _ellipsoid(tensor) if surface.ellipsoid else _radial
        branches = [
            Branch(name, partial(function, tensor), points)
            for name, function in surface.branches.items()
        ]
        caption = surface.caption
        if any(branch.extreme(-1)[0] < 0 for branch in branches):
            caption += " Where it is negative, the distance is the absolute value."
        picture = _surface_picture(
            surface.key, surface.title, surface.unit, branches, cell, caption
        )
        if flags:
            _annotate(picture.figure, flags)
        pictures.append(picture)
    return pictures


def _radial(n: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Points along the directions n (..., 3), as far as the absolute values (...)."""
    return np.abs(values)[..., None] * n


def _ellipsoid(tensor: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda n, _: n @ tensor


def _annotate(figure: go.Figure, flags: tuple[str, ...]) -> None:
    figure.update_scenes(domain={"y": [0.08, 0.78]})
    words = ", ".join(flag.replace("_", " ") for flag in flags)
    figure.add_annotation(
        text=f"<b>Do not trust blindly:<br>{words}</b>",
        x=0.5, y=1, xref="paper", yref="paper", yanchor="top", yshift=-28, showarrow=False,
        font={"size": 14, "color": "#8a1c1c"}, bgcolor="rgba(255,255,255,0.85)",
        bordercolor="#8a1c1c", borderpad=4,
    )  # fmt: skip


def _surface_picture(
    key: str, title: str, unit: str, surfaces: list[Branch], cell: np.ndarray, caption: str
) -> Picture:
    """Surfaces on one scale; the first is shown, the others on request."""
    n, figure = sphere(), go.Figure()
    values = [s.of(n) for s in surfaces]
    points = [s.points(n, v) for s, v in zip(surfaces, values)]
    low, high, reach = np.min(values), np.max(values), np.abs(points).max()
    flat = high - low < ISOTROPIC * abs(high)
    pad = 0.05 * abs(high) if flat else 0.0
    shown = f"{unit} " if unit else ""
    for i, surface in enumerate(surfaces):
        figure.add_surface(
            **_xyz(points[i].astype(np.float32)),
            surfacecolor=values[i].astype(np.float32), hoverinfo="text",
            text=_hover_text(values[i], n, shown), name=surface.name,
            cmin=low - pad, cmax=high + pad, colorscale="Viridis", visible=i == 0,
            showscale=not flat, colorbar=_COLORBAR, lighting=_LIGHT,
            contours={axis: {"highlight": False} for axis in "xyz"},
        )  # fmt: skip
    unit_cell = cell / np.linalg.norm(cell, axis=1, keepdims=True)
    for ends, letters, reached in ((np.eye(3), "xyz", 1.2), (unit_cell, "abc", 1.45)):
        figure.add_traces(_axes(reached * reach * ends, letters, _AXIS_COLOR[letters]))
    hidden = {"visible": False, "range": [-1.7 * reach, 1.7 * reach]}
    axes = {f"{name}axis": hidden for name in "xyz"}
    figure.update_layout(
        **_layout(),
        scene={
            **axes, "aspectmode": "manual", "aspectratio": dict.fromkeys("xyz", ZOOM),
            "camera": _CAMERA, "domain": {"y": [0.08, 0.92]},
        },
    )  # fmt: skip
    said = " ".join(_extremes(s, shown) for s in surfaces)
    names = tuple(s.name for s in surfaces) if len(surfaces) > 1 else ()
    heading = f"{title}, {unit}" if unit else title
    return Picture(key, heading, figure, f"{caption} {said}", names)


def _hover_text(values: np.ndarray, n: np.ndarray, unit: str) -> np.ndarray:
    """Value and direction of every point; plotly wants an array of objects."""
    points = zip(values.ravel(), n.reshape(-1, 3))
    text = [f"{number(value)} {unit}along<br>{direction(vector)}" for value, vector in points]
    return np.array(text, dtype=object).reshape(values.shape)


def _extremes(surface: Branch, unit: str) -> str:
    """A sentence with the smallest and largest value and where they are."""
    name = surface.name[0].upper() + surface.name[1:]
    ends = [surface.extreme(-1), surface.extreme(1)]
    if ends[1][0] - ends[0][0] < ISOTROPIC * abs(ends[1][0]):
        return f"{name}: {number(ends[0][0])} {unit}in all directions."
    low, high = (f"{number(value)} {unit}along {direction(n)}" for value, n in ends)
    return f"{name}: from {low} to {high}."


def _with_images(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Indices (M,) and fractional coordinates (M, 3) of the atoms in the cell and on its faces."""
    scaled = atoms.get_scaled_positions(wrap=True)
    scaled[scaled > 1 - FACE] -= 1  # what lies on a face lies on the lower one
    index, points = [], []
    for shift in product((0, 1), repeat=3):
        moved = scaled + shift
        inside = (moved < 1 + FACE).all(axis=1)
        index.append(np.flatnonzero(inside))
        points.append(moved[inside])
    return np.concatenate(index), np.concatenate(points)


def _axes(ends: np.ndarray, names: str, color: str) -> list[go.Scatter3d]:
    """Lines from the origin to `ends` (3, 3), with names slightly beyond."""
    lines = np.array([[np.zeros(3), end, np.full(3, np.nan)] for end in ends]).reshape(-1, 3)
    common = {"hoverinfo": "skip", "showlegend": False}
    return [
        go.Scatter3d(**_xyz(lines), **common, mode="lines", line={"color": color, "width": 3}),
        go.Scatter3d(
            **_xyz(1.1 * ends), **common, mode="text", text=list(names),
            textfont={"size": 15, "color": color},
        ),
    ]  # fmt: skip


def _xyz(points: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip("xyz", np.moveaxis(points, -1, 0)))


def _layout() -> dict:
    return {"margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "font": FONT, "template": "none"}


_AROUND = np.array([(0, 0, 0), *(v for v in product((-1, 0, 1), repeat=3) if any(v))])
_CAMERA = {"projection": {"type": "orthographic"}, "eye": {"x": 1.1, "y": -1.35, "z": 0.8}}
_AXIS_COLOR = {"xyz": DARK, "abc": "#b45309"}
_LIGHT = {"ambient": 0.85, "diffuse": 0.35, "specular": 0.05, "roughness": 0.9}
_COLORBAR = {
    "orientation": "h", "y": 0, "yanchor": "bottom", "thickness": 12, "len": 0.8, "nticks": 6,
    "outlinewidth": 0,
}  # fmt: skip
