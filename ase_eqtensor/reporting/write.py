"""Writes the page of a crystal."""

from pathlib import Path

from ..calculator import EqTensorCalculator
from ..crystal.validation import as_atoms
from ..extras import extra
from ..models.store import Model
from ..storage import check_place, complete_file


def report(
    structure,
    path: str | Path,
    model: EqTensorCalculator | Model | str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Predict a crystal and write an HTML page about it, with rotatable pictures.

    The page has the structure; the tensors in the Cartesian frame of the structure with their
    error bounds and symmetry; moduli, permittivities and their percentiles among the training data;
    surfaces of the directional moduli and dielectric ellipsoids; warnings; entries of the training
    data; model, level of theory and limits. It opens without a network.

    Args:
        structure: ASE atoms or a pymatgen structure.
        path: of the page. It appears under its name only when it is complete.
        model: as of `EqTensorCalculator`, or a calculator with settings of one's own.
        overwrite: replace an existing file.

    Returns:
        `path`.

    Raises:
        OutputExistsError: there is such a file, and `overwrite` is False.
        DataError: there is no such folder.
        MissingExtraError: the libraries of the extra "report" are not installed.
        StructureError, ElementError, ModelError: nothing can be predicted.
    """
    path = Path(path)
    check_place(path, overwrite)
    with extra("report"):
        from .page import render
        from .subject import Subject

    calculator = model if isinstance(model, EqTensorCalculator) else EqTensorCalculator(model)
    text = render(Subject.of(as_atoms(structure), calculator), stem=path.stem)
    with complete_file(path) as part:
        part.write_text(text, encoding="utf-8")
    return path
