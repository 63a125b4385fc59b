"""Writes the page of a crystal, and the page that lists several."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..calculator import EqTensorCalculator
from ..crystal.validation import as_atoms
from ..extras import extra
from ..models.store import Model
from ..storage import check_place, complete_file

if TYPE_CHECKING:  # both need the extra
    from .index import Listed
    from .subject import Subject


def report(
    structure,
    path: str | Path,
    model: EqTensorCalculator | Model | str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Predict a crystal and write an HTML page about it, with rotatable pictures.

    The page has the structure; the tensors in the Cartesian frame of the structure with their
    error bounds and symmetry; moduli, permittivities and their percentiles among the training data;
    surfaces of the directional moduli and dielectric ellipsoids; sound, light and electromechanics
    that follow; warnings; entries of the training data; model, level of theory and limits. Its
    numbers can be saved as JSON and CSV. It opens without a network.

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
    write_page(structure, path, model, overwrite)
    return Path(path)


def write_page(
    structure,
    path: str | Path,
    model: EqTensorCalculator | Model | str | Path | None = None,
    overwrite: bool = False,
    index: str = "",
) -> "Subject":
    """`report`, which returns what the page is about. `index`: address of the page that lists it,
    "" for none."""
    path = Path(path)
    check_place(path, overwrite)
    with extra("report"):
        from .page import render
        from .subject import Subject

    calculator = model if isinstance(model, EqTensorCalculator) else EqTensorCalculator(model)
    subject = Subject.of(as_atoms(structure), calculator)
    _write(path, render(subject, index, path.stem))
    return subject


def write_index(
    path: Path, crystals: "Sequence[Listed]", failures: Mapping[str, str], overwrite: bool = False
) -> None:
    """The page that lists crystals with a page, and names those without.

    Arguments as of `render_index`. Raises as `report` does.
    """
    check_place(path, overwrite)
    with extra("report"):
        from .index import render_index

    _write(path, render_index(crystals, failures))


def _write(path: Path, text: str) -> None:
    with complete_file(path) as part:
        part.write_text(text, encoding="utf-8")
