"""The page of a report: what is known of a crystal, put into the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from ase import units
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..models.training_crystals import TrainingCrystal
from ..prediction.settings import MEASURED
from ..quantities import QUANTITIES, Quantity, scalars
from ..quantities.numbers import fixed, number
from . import tables
from .cell import structure_picture
from .derived import derived
from .downloads import downloads
from .embedding import packed_figures, packed_plotly
from .figures import Picture, surface_pictures
from .markup import formula_markup, space_group_markup, with_links, with_subscripts
from .opinion import told_opinion
from .subject import Subject
from .words import held, nouns, refusals, told


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


@cache
def environment() -> Environment:
    """The templates of this folder; they take long to compile."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"with_links": with_links, "with_subscripts": with_subscripts}
    return made


def render(subject: Subject, index: str = "", stem: str = "") -> str:
    """The HTML page of a crystal, with everything in it; see `report`.

    Args:
        subject: the crystal.
        index: address of the page that lists it, "" for none.
        stem: beginning of the names of files that are saved from the page; by default the formula.
    """
    model, prediction = subject.model, subject.prediction
    headlines = [s for q in model.quantities.values() for s in q.scalars if s.headline]
    sections = _sections(subject)
    structure = structure_picture(subject.atoms)
    # of what is refused or forbidden by symmetry, no bound is of interest
    there = {n: c for n, c in subject.checked.items() if np.any(prediction.tensors.get(n, 0))}
    pictures = [structure, *(p for section in sections for p in section.pictures)]
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            formula=subject.formula,
            formula_markup=formula_markup(subject.formula),
            index=index,
            structure=_structure(subject),
            structure_picture=structure,
            cautions=subject.cautions,
            refusals=refusals(prediction),
            marks={
                name: ", ".join(c.heading.lower() for c in subject.cautions if c.concerns([name]))
                for name in prediction.tensors
            },
            rows=tables.scalar_rows(prediction, subject.known, model.training_scalars),
            has_reference=bool(subject.known),
            sections=sections,
            derived=derived(subject),
            downloads=downloads(subject, stem or subject.formula),
            headlines=[f"{s.label}, {s.unit}" if s.unit else s.label for s in headlines],
            entries=[
                _entry(
                    crystal, scalars(crystal.tensors, crystal.atoms), [s.name for s in headlines]
                )
                for crystal in subject.seen
                if crystal.atoms is not None
            ],
            bare=[crystal.source_id for crystal in subject.seen if crystal.atoms is None],
            told=told(subject.seen, prediction),
            held=held(subject.atoms, there),
            opinion=told_opinion(prediction, subject.atoms),
            measured=subject.settings.level == MEASURED,
            methods=_methods(model.level_of_theory),
            model=model,
            settings=subject.settings,
            version=__version__,
            plotly=Markup(packed_plotly()),
            figures=Markup(packed_figures(pictures)),
        )
    )


def _sections(subject: Subject) -> list[Section]:
    """The sections of all quantities of the model, in their order."""
    prediction = subject.prediction
    groups: dict[str, list[Quantity]] = {}
    for quantity in subject.model.quantities.values():
        groups.setdefault(quantity.display.section, []).append(quantity)
    sections = []
    for index, (title, quantities) in enumerate(groups.items()):
        predicted = [q for q in quantities if q.name in prediction.tensors]
        panels = [tables.tensor_panel(quantity, subject) for quantity in predicted]
        pictures = []
        for quantity in predicted:
            flags = tuple(w.flag for w in prediction.warnings_for(quantity.name))
            tensor = prediction.tensors[quantity.name]
            pictures += surface_pictures(quantity, tensor, subject.atoms.cell[:], flags)
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


def space_group(subject: Subject) -> str:
    """Symbol and number of the space group, as HTML."""
    from pymatgen.symmetry.groups import sg_symbol_from_int_number

    if not subject.symmetry.known:
        return "not found"
    symbol = sg_symbol_from_int_number(subject.symmetry.space_group, hexagonal=False)
    return space_group_markup(symbol) + f" (no. {subject.symmetry.space_group})"


def _structure(subject: Subject) -> dict:
    """What the page says about the crystal itself."""
    atoms, symmetry = subject.atoms, subject.symmetry
    lengths, angles = atoms.cell.lengths(), atoms.cell.angles()
    density = atoms.get_masses().sum() / atoms.get_volume() * 1e27 / units.kg  # g/cm^3
    group = space_group(subject)
    return {
        "space_group": group,
        "point_group": symmetry.point_group,
        "facts": {
            "Space group": group,
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


def _methods(level_of_theory: Mapping[str, str]) -> dict[str, str]:
    """Nouns of quantities -> the level of theory that they share."""
    names: dict[str, list[str]] = {}
    for name, method in level_of_theory.items():
        if name in QUANTITIES:
            names.setdefault(method, []).append(name)
    words = {method: nouns(those) for method, those in names.items()}
    return {noun[0].upper() + noun[1:]: method for method, noun in words.items()}
