"""The picture of a crystal: its cell, its atoms, and the bonds among them."""

from itertools import product
from typing import Any

import numpy as np
import plotly.graph_objects as go
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors
from matscipy.neighbours import neighbour_list

from .figures import CAMERA, DARK, Picture, axes, layout, xyz

FACE = 1e-3  # fractional distance to a face within which an atom is drawn on both sides
ZOOM = 2.0  # of the cell within its frame
BEYOND = 1.5  # Å by which the names of the cell vectors stand off the cell
# A bond is not longer than this times the sum of the covalent radii, and this times the distance of
# the nearest neighbour of one of its ends: not every pair of large cations is one.
BOND = 1.15
MOST = 8  # near neighbours, beyond which atoms are packed and lines among them tell nothing


def structure_picture(atoms: Atoms) -> Picture:
    """The cell with its atoms in the colours of jmol, those on faces and edges repeated, and bonds;
    of a bond to an atom that is not drawn there is the nearer half."""
    corners = np.array(list(product((0, 1), repeat=3)))
    edges = [(a, b) for a in corners for b in corners if (b - a).sum() == 1 and (b >= a).all()]
    line = np.array([[a, b, [np.nan] * 3] for a, b in edges]).reshape(-1, 3) @ atoms.cell[:]
    traces = [_lines("cell", line, "#52606d", 3)]
    index, scaled = _with_images(atoms)
    for z in dict.fromkeys(atoms.numbers.tolist()):
        alike = atoms.numbers[index] == z
        text = [
            f"{chemical_symbols[z]}, atom {i}<br>fractional {s[0]:.3f}, {s[1]:.3f}, {s[2]:.3f}"
            for i, s in zip(index[alike], scaled[alike])
        ]
        red, green, blue = (255 * jmol_colors[z]).round().astype(int)
        trace = go.Scatter3d(
            **xyz((scaled[alike] @ atoms.cell[:]).astype(np.float32)), mode="markers",
            name=chemical_symbols[z], text=text, hovertemplate="%{text}<extra></extra>",
            marker={
                "size": 5 + 6 * covalent_radii[z], "color": f"rgb({red},{green},{blue})",
                "opacity": 1, "line": {"color": DARK, "width": 1},
            },
        )  # fmt: skip
        traces.append(trace)
    lines = _half_bonds(atoms, index, scaled)
    if len(lines):
        traces.append(_lines("bonds", lines, "#9aa5b1", 5))
    beyond = 1 + BEYOND / atoms.cell.lengths()[:, None]
    traces += axes(beyond * atoms.cell[:], "abc")
    drawn = np.vstack([corners @ atoms.cell[:], 1.1 * beyond * atoms.cell[:]])  # with letters
    middle = drawn.mean(axis=0)
    reach = np.linalg.norm(drawn - middle, axis=1).max()
    scene: dict[str, Any] = {
        f"{name}axis": {"visible": False, "range": [x - reach, x + reach]}
        for name, x in zip("xyz", middle)
    }
    scene |= {
        "aspectmode": "manual", "aspectratio": dict.fromkeys("xyz", ZOOM), "camera": CAMERA,
        "domain": {"y": [0, 0.92]},
    }  # fmt: skip
    legend = {"orientation": "h", "x": 0, "y": 1}
    figure = go.Figure(traces, {**layout(), "scene": scene, "legend": legend})
    caption = (
        f"Cell with {len(atoms)} {'atom' if len(atoms) == 1 else 'atoms'}. Those on its faces are "
        f"repeated{'; lines join near neighbours' if len(lines) else ''}. Drag to rotate."
    )
    return Picture("structure", "Unit cell", figure, caption)


def _lines(name: str, points: np.ndarray, color: str, width: float) -> go.Scatter3d:
    return go.Scatter3d(
        **xyz(points), mode="lines", line={"color": color, "width": width}, name=name,
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip


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


def _half_bonds(atoms: Atoms, index: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """Lines (3 n, 3) from the drawn atoms, as `_with_images` gives them, to the middle of their
    bonds, each followed by NaN."""
    first, _, vectors = bonds(atoms)
    order = np.argsort(first, kind="stable")
    count = np.bincount(first, minlength=len(atoms))
    start = np.cumsum(count) - count
    own = [order[start[i] : start[i] + count[i]] for i in index]
    ends = np.repeat(scaled @ atoms.cell[:], [len(one) for one in own], axis=0)
    half = vectors[np.concatenate(own)] / 2
    lines = np.stack([ends, ends + half, np.full_like(ends, np.nan)], axis=1)
    return lines.reshape(-1, 3).astype(np.float32)


def bonds(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of atoms (M,), (M,) that are near neighbours, each in both directions, and vectors
    (M, 3) from the one to the other, Å."""
    radii = BOND * covalent_radii[atoms.numbers]
    first, second, length, vectors = neighbour_list("ijdD", atoms, 2 * radii.max())
    nearest = np.full(len(atoms), np.inf)
    np.minimum.at(nearest, first, length)
    near = length <= BOND * np.maximum(nearest[first], nearest[second])
    bonded = near & (length <= radii[first] + radii[second])
    packed = np.bincount(first[bonded], minlength=len(atoms)) > MOST
    bonded &= ~packed[first] & ~packed[second]
    return first[bonded], second[bonded], vectors[bonded]
