"""The page of a report: what is computed of a crystal, put into the template."""

from pathlib import Path

import numpy as np
from ase import Atoms, units
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from .. import __version__
from ..analysis import to_ieee
from ..calculator import EqTensorCalculator
from ..crystal.symmetry import CrystalSymmetry, analyse
from ..models.training_crystals import TrainingCrystal, reduced_formula
from ..prediction.predictor import Prediction
from ..properties import PROPERTIES
from . import tables
from .comparison import scalars, training_scalars
from .figures import Picture, dielectric_picture, elastic_pictures, structure_picture
from .numbers import fixed, formula_markup, number, space_group_markup

ELASTIC = ("elasticity_tensor", "compliance_tensor")
DIELECTRIC = ("electronic_dielectric_tensor", "dielectric_tensor")


def render(atoms: Atoms, calculator: EqTensorCalculator) -> str:
    """The HTML page of a crystal, with everything in it; see `write_report`."""
    prediction = calculator.predictor.predict_one(atoms)
    if prediction.error is not None:
        raise prediction.error
    predictor, seen = calculator.predictor, calculator.seen(atoms)
    symmetry = analyse(atoms, predictor.symprec)
    rotations = symmetry.rotations if predictor.project else np.eye(3)[None]
    tensors = prediction.tensors
    panels = {
        name: tables.tensor_panel(name, prediction, rotations, seen)
        for name in PROPERTIES
        if name in tensors
    }
    predicted = scalars(tensors, atoms)
    training = training_scalars(calculator.model.training_crystals)
    reference = tables.first_principles(seen)
    pictures = _pictures(atoms, prediction)
    ieee = None
    if "elasticity_tensor" in tensors and symmetry.known:
        ieee = tables.ieee_table(to_ieee(tensors["elasticity_tensor"], atoms))
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
        warnings=prediction.warnings,
        refused=prediction.refused,
        rows=tables.scalar_rows(prediction, predicted, reference, training),
        stable=predicted["least_eigenvalue_gpa"] > 0 if "elasticity_tensor" in tensors else None,
        has_reference=bool(reference),
        indices=_indices(prediction),
        elastic=[panels[name] for name in ELASTIC if name in panels],
        dielectric=[panels[name] for name in DIELECTRIC if name in panels],
        ieee=ieee,
        pictures=pictures,
        known=[_known(one) for one in seen if one.atoms is not None],
        bare=[one.source_id for one in seen if one.atoms is None],
        told=_told(seen),
        model=calculator.model,
        predictor=predictor,
        version=__version__,
        plotlyjs=Markup(get_plotlyjs()),
    )


def _pictures(atoms: Atoms, prediction: Prediction) -> dict[str, list[Picture]]:
    """The pictures of each section."""
    tensors, cell = prediction.tensors, atoms.cell[:]
    elastic = []
    if "elasticity_tensor" in tensors:
        elastic = elastic_pictures(tensors["elasticity_tensor"], cell)
    dielectric = [
        dielectric_picture(
            name.replace("_", "-"),
            tables.KINDS[name].title,
            tensors[name],
            cell,
            tuple(w.flag for w in prediction.warnings_for(name)),
        )
        for name in DIELECTRIC
        if name in tensors
    ]
    return {"structure": [structure_picture(atoms)], "elastic": elastic, "dielectric": dielectric}


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


def _indices(prediction: Prediction) -> str:
    name = "electronic_dielectric_tensor"
    found = prediction.tensors.get(name)
    return "" if found is None else tables.principal_indices(found)


def _known(one: TrainingCrystal) -> dict:
    """A line of the table of training crystals with the same formula."""
    found = scalars(one.tensors, one.atoms)
    names = ("k_vrh_gpa", "g_vrh_gpa", "eps_inf", "eps_total")
    return {
        "source_id": one.source_id,
        "dataset": one.dataset,
        "relation": "same structure" if one.same_structure else "another structure",
        "values": [number(found[name]) if name in found else "–" for name in names],
    }


def _told(seen: list[TrainingCrystal]) -> str:
    """Whether the crystal is in the training data, in a sentence."""
    if same := dict.fromkeys(one.source_id for one in seen if one.same_structure):
        return (
            f"This structure is in the training data, as {', '.join(same)}: the model has seen its "
            "first-principles values, which stand beside the predicted ones on this page."
        )
    if any(one.same_structure is None for one in seen):
        return (
            "The formula is in the training data, in an entry whose structure is not on record; "
            "it may be this one."
        )
    if seen:
        return "The formula is in the training data, but only with other structures."
    return "Neither this structure nor its formula is in the training data."
