"""In which frames the tensors of the piezoelectric set may have been written down.

The file says it for each row, as `ase_eqtensor.train.frames.choose` found it.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

FRAMES = Path(__file__).with_name("frames.csv")
COLUMNS = ("id", "formula", "point_group", "behind", "x", "y", "z")


class Frame(NamedTuple):
    """One frame that a tensor may have been written in.

    rotation: (3, 3), proper, which takes the tensor as written to the frame of its structure.
    behind: how much worse than the likeliest frame it fits what is expected of the crystal, in
        errors relative to the tensor; NaN where nothing is expected.
    """

    rotation: np.ndarray
    behind: float


class Row(NamedTuple):
    """The frames of one row, the likeliest first."""

    id: str
    formula: str
    point_group: str
    frames: Sequence[Frame]


def write_frames(path: Path, rows: Sequence[Row]) -> None:
    """Write a line for each frame: rotations as their axes times their angles in degrees."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in rows:
            for frame in row.frames:
                turn = Rotation.from_matrix(frame.rotation).as_rotvec(degrees=True)
                behind = "" if np.isnan(frame.behind) else f"{frame.behind:.2f}"
                angles = [f"{angle + 0:.4f}" for angle in np.round(turn, 4)]
                writer.writerow([row.id, row.formula, row.point_group, behind, *angles])


def read_frames(path: Path = FRAMES) -> Mapping[str, Sequence[Frame]]:
    """Identifier of a row -> its frames, the likeliest first."""
    frames: dict[str, list[Frame]] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            turn = [float(line[axis]) for axis in "xyz"]
            rotation = Rotation.from_rotvec(turn, degrees=True).as_matrix()
            frames.setdefault(line["id"], []).append(
                Frame(rotation, float(line["behind"] or "nan"))
            )
    return frames
