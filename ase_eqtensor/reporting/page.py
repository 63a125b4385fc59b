"""The page of a report: what is computed of a crystal, put into the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from .. import __version__
from ..analysis import ieee_rotation
from ..calculator import EqTensorCalculator
from ..crystal.chemistry import chemical_class
from ..crystal.formula import reduced_formula
from ..crystal.symmetry import CrystalSymmetry, analyse
from ..models.training_crystals import TrainingCrystal
from ..models.uncertainty import LEVELS, RELATIVE
from ..prediction.known import Comparison, compared
from ..prediction.prediction import Prediction
from ..prediction.settings import MEASURED
from ..quantities import QUANTITIES, Quantity, scalars
from . import tables
from .comparison import training_scalars
from .figures import Picture, structure_picture, surface_pictures
from .numbers import fixed, formula_markup, number, space_group_markup
from .opinion import told_opinion


@dataclass(frozen=True)
class Section:
    """Quantities that a page has under one heading.

    key: of the heading in the page. names: of all of them, also of those that are refused.
    notes: what a reader should know of frame, order and meaning.
    panels: of the predicted ones; derived: of those that are inverses of others.
    """

    key: str
    title: str
    names: list[str]
    notes: list[str]
    panels: list[tables.TensorPanel]
    derived: list[tables.TensorPanel]
    pictures: list[Picture]


def render(atoms: Atoms, calculator: EqTensorCalculator) -> str:
    """The HTML page of a crystal, with everything in it; see `report`."""
    prediction = calculator.predictor.predict_one(atoms)
    if prediction.error is not None:
        raise prediction.error
    model, settings = calculator.model, calculator.predictor.settings
    seen = calculator.seen(atoms)
    symmetry = analyse(atoms, settings.symprec)
    headlines = [s for q in model.quantities.values() for s in q.scalars if s.headline]
    known = compared(prediction, seen)
    formula = reduced_formula(atoms)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        formula=formula,
        formula_markup=formula_markup(formula),
        structure=_structure(atoms, symmetry),
        structure_picture=structure_picture(atoms),
        warnings=prediction.warnings,
        refused=prediction.refused,
        rows=tables.scalar_rows(prediction, known, training_scalars(model.training_crystals)),
        has_reference=bool(known),
        sections=_sections(atoms, calculator, prediction, symmetry, seen, known),
        headlines=[f"{s.label}, {s.unit}" if s.unit else s.label for s in headlines],
        entries=[
            _entry(crystal, scalars(crystal.tensors, crystal.atoms), [s.name for s in headlines])
            for crystal in seen
            if crystal.atoms is not None
        ],
        bare=[crystal.source_id for crystal in seen if crystal.atoms is None],
        told=_told(seen, prediction),
        held=held(atoms, _checked(calculator, prediction)),
        opinion=told_opinion(prediction, atoms),
        measured=settings.level == MEASURED,
        model=model,
        settings=settings,
        version=__version__,
        plotlyjs=Markup(get_plotlyjs()),
    )


def _sections(
    atoms: Atoms,
    calculator: EqTensorCalculator,
    prediction: Prediction,
    symmetry: CrystalSymmetry,
    seen: list[TrainingCrystal],
    known: Mapping[str, Comparison],
) -> list[Section]:
    """The sections of all quantities of the model, in their order."""
    rotations = symmetry.rotations
    if not calculator.predictor.settings.project:
        rotations = np.eye(3)[None]
    ieee = ieee_rotation(atoms) if symmetry.known else None
    groups: dict[str, list[Quantity]] = {}
    for quantity in calculator.model.quantities.values():
        groups.setdefault(quantity.display.section, []).append(quantity)
    sections = []
    for index, (title, quantities) in enumerate(groups.items()):
        predicted = [q for q in quantities if q.name in prediction.tensors]
        panels = [
            tables.tensor_panel(q, prediction, rotations, seen, known, ieee) for q in predicted
        ]
        pictures = []
        for quantity in predicted:
            flags = tuple(w.flag for w in prediction.warnings_for(quantity.name))
            tensor = prediction.tensors[quantity.name]
            pictures += surface_pictures(quantity, tensor, atoms.cell[:], flags)
        sections.append(
            Section(
                f"section-{index}",
                title,
                [quantity.name for quantity in quantities],
                [quantity.display.note for quantity in quantities if quantity.display.note],
                [panel for panel in panels if not panel.quantity.inverse_of],
                [panel for panel in panels if panel.quantity.inverse_of],
                pictures,
            )
        )
    return sections


def _structure(atoms: Atoms, symmetry: CrystalSymmetry) -> dict:
    """What the page says about the crystal itself."""
    from pymatgen.symmetry.groups import sg_symbol_from_int_number

    space_group = "not found"
    if symmetry.known:
        symbol = sg_symbol_from_int_number(symmetry.space_group, hexagonal=False)
        space_group = space_group_markup(symbol) + f" (no. {symmetry.space_group})"
    lengths, angles = atoms.cell.lengths(), atoms.cell.angles()
    density = atoms.get_masses().sum() / atoms.get_volume() * 1e27 / units.kg  # g/cm^3
    return {
        "space_group": space_group,
        "point_group": symmetry.point_group,
        "facts": {
            "Space group": space_group,
            "Point group": symmetry.point_group,
            "a, b, c": ", ".join(fixed(x, 4) for x in lengths) + " Å",
            "α, β, γ": ", ".join(fixed(x, 2) for x in angles) + "°",
            "Volume": f"{fixed(atoms.get_volume(), 2)} Å³",
            "Density": f"{number(density)} g/cm³",
            "Atoms": f"{len(atoms)} in this cell, {len(symmetry.primitive_index)} in the "
            "primitive one",
        },
        "vectors": [(k, [fixed(x, 4) for x in v]) for k, v in zip("abc", atoms.cell[:])],
    }


def _entry(crystal: TrainingCrystal, values: Mapping[str, float], names: list[str]) -> dict:
    """A line of the table of training crystals with the same formula, with these scalars."""
    return {
        "source_id": crystal.source_id,
        "dataset": crystal.dataset,
        "relation": "same structure" if crystal.same_structure else "another structure",
        "values": [number(values[name]) if name in values else "–" for name in names],
    }


def _checked(calculator: EqTensorCalculator, prediction: Prediction) -> dict[str, dict[str, Any]]:
    """Quantity -> how often the bounds hold that the prediction has: those of the model, or, where
    a potential had its say, those of both together."""
    checked = dict(calculator.model.card.calibration)
    partner, consulted = calculator.partner, prediction.consulted
    if partner is not None and consulted is not None:
        together = partner.card.calibration.items()
        checked |= {name: own for name, own in together if name not in consulted.alone}
    return checked


def held(atoms: Atoms, checked: Mapping[str, Mapping[str, Any]]) -> str:
    """How well bounds held for crystals of this kind, in a sentence; "" where that is not known.
    `checked` is the field `calibration` of a card."""
    group = chemical_class(atoms.numbers)
    told = []
    for name, quantity in QUANTITIES.items():
        own = checked.get(name, {}).get(RELATIVE, {})
        if quantity.inverse_of or group not in own.get("by_class", {}):
            continue
        share = 100 * own["by_class"][group][str(max(LEVELS))]
        number = own["crystals"][group]
        told.append(f"{share:.0f} % of {number} ({quantity.display.title})")
    if not told:
        return ""
    return (
        f"Crystals like this one ({group}), none of which the networks had seen: the "
        f"{100 * max(LEVELS):.0f} % bounds hold for {', '.join(told)}."
    )


def _told(seen: list[TrainingCrystal], prediction: Prediction) -> str:
    """Whether the crystal is in the training data, in a sentence."""
    if prediction.known:
        titles = [QUANTITIES[name].display.title for name in prediction.known]
        entries = ", ".join(dict.fromkeys(prediction.known.values()))
        return (
            f"This structure is in the training data. Its {', '.join(titles)}: not predicted, but "
            f"the first-principles values of {entries}, as was asked for."
        )
    if same := dict.fromkeys(crystal.source_id for crystal in seen if crystal.same_structure):
        return (
            f"This structure is in the training data, as {', '.join(same)}: the model has seen its "
            "first-principles values, which stand beside the predicted ones on this page."
        )
    if any(crystal.same_structure is None for crystal in seen):
        return (
            "The formula is in the training data, in an entry whose structure is not on record; "
            "it may be this one."
        )
    if seen:
        return "The formula is in the training data, but only with other structures."
    return "Neither this structure nor its formula is in the training data."
