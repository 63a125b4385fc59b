"""One picture of a prediction, for notebooks and scripts."""

import re
from typing import TYPE_CHECKING

from ..calculator import EqTensorCalculator
from ..crystal.validation import as_atoms
from ..errors import NothingCalculatedError, SettingError, StructureError
from ..extras import extra
from ..prediction.prediction import Prediction
from ..quantities import Quantity, Surface, offered

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def plot(of: Prediction | EqTensorCalculator, surface: str, atoms=None) -> "Figure":
    """A quantity as a function of direction: a surface that can be rotated, as in a report.

    Distance from the centre and colour are the value along each direction of the Cartesian frame of
    the crystal; of a permittivity the ellipsoid of the displacement is drawn. Where several
    functions share a picture, as the waves of sound, buttons choose one.

    Args:
        of: a prediction, or a calculator, whose last calculation is meant.
        surface: "young", "shear", "compressibility", "slowness", "electronic-dielectric-tensor",
            "refractive-index", "dielectric-tensor", "piezoelectric"; or the title that a report
            has, "Young's modulus". Case, blanks and hyphens do not matter, a beginning is enough.
        atoms: ASE atoms or a pymatgen structure of the prediction, whose cell vectors are drawn;
            those of a calculator are known.

    Returns:
        A plotly figure: it shows itself in a notebook; `show`, `write_html` and `write_image` are
        its methods.

    Raises:
        SettingError: there is no such surface, or it is not clear which is meant.
        StructureError: symmetry forbids it in this crystal: there is nothing to draw.
        NothingCalculatedError: the calculator has not calculated anything yet.
        MissingExtraError: plotly is not installed: the extra "report".
        The reason, an `EqTensorError`, if the tensor could not be predicted.
    """
    with extra("report"):
        import plotly.graph_objects  # noqa: F401

    from .figures import surface_picture

    if isinstance(of, EqTensorCalculator):
        prediction, atoms = of.prediction, of.atoms if atoms is None else atoms
        if prediction is None:
            raise NothingCalculatedError("nothing was calculated yet: ask for a property first")
    else:
        prediction = of
    quantity, drawn = _named(surface)
    name = quantity.name
    if name in prediction.refused:
        raise prediction.refused[name]
    if name not in prediction.tensors:
        raise SettingError(f"{surface!r}: the model predicts no {quantity.noun}")
    cell = None if atoms is None else as_atoms(atoms).cell[:]
    flags = tuple(dict.fromkeys(warning.flag for warning in prediction.warnings_for(name)))
    picture = surface_picture(drawn, prediction.tensors[name], cell, flags)
    if picture is None:
        raise StructureError(
            f"{drawn.title}: zero along every direction, by symmetry; there is nothing to draw"
        )
    figure = picture.figure
    figure.update_layout(title={"text": picture.title, "x": 0.5}, margin={"t": 50})
    if picture.choices:
        figure.update_layout(margin={"b": 50}, updatemenus=[_buttons(picture.choices)])
    return figure


def _buttons(choices: tuple[str, ...]) -> dict:
    """Buttons below the picture, each of which shows one of its first traces."""
    traces = list(range(len(choices)))
    buttons = [
        {
            "label": name,
            "method": "restyle",
            "args": [{"visible": [i == j for j in traces]}, traces],
        }
        for i, name in enumerate(choices)
    ]
    return {
        "type": "buttons", "direction": "right", "buttons": buttons, "x": 0.5, "xanchor": "center",
        "y": 0, "yanchor": "top",
    }  # fmt: skip


def _named(name: str) -> tuple[Quantity, Surface]:
    """The surface of that key or title, or of the only one that begins so."""
    every = [(q, s) for q in offered().values() for s in q.surfaces]
    plain = _plain(name)
    exact = [(q, s) for q, s in every if plain in (_plain(s.key), _plain(s.title))]
    close = [
        (q, s)
        for q, s in every
        if plain and (_plain(s.key).startswith(plain) or _plain(s.title).startswith(plain))
    ]
    found = exact or close
    if len(found) != 1:
        names = ", ".join(s.key for _, s in found or every)
        raise SettingError(f"no single surface is called {name!r}: choose from {names}")
    return found[0]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
