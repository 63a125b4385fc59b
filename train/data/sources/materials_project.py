"""Tensors of the Materials Project (CC BY 4.0), from a file of `eqtensor data fetch`.

Where frames and orders come from:

- Stiffness: `elastic_tensor.raw` is "corresponding to structure orientation (GPa)", that is, to the
  document's own `structure`, and `ieee_format` is rotated and rounded to 1 GPa (emmet-core,
  emmet/core/elasticity.py: `ElasticTensorDoc`, `ElasticityDoc.from_deformations_and_stresses`).
  Its order is that of pymatgen's `voigt`: xx yy zz yz xz xy, no factors.
- Permittivities: `total`, `ionic` and `electronic` are in the IEEE frame
  (emmet/core/polar.py: `DielectricDoc.from_ionic_and_electronic` calls `convert_to_ieee`) of the
  input structure of the task named in `origins` (emmet-builders,
  emmet/builders/materials/linear_response.py). The inverse of `get_ieee_rotation` of that structure
  takes them back. In monoclinic and triclinic cells the choice of axes depends on spglib and may
  differ from the server's, which the point group does not always reveal.
- Level of theory: stiffness documents are made of PBE calculations only (emmet-builders 0.84,
  `filter_opt_tasks`); dielectric ones of any, so the task's run type is checked.

Cite M. de Jong et al., Sci. Data 2, 150009 (2015) for the stiffness and I. Petousis et al., Sci.
Data 4, 160134 (2017) for the dielectric tensors.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pymatgen.core import Structure
from pymatgen.core.tensors import Tensor

from ase_eqtensor.crystal.lattice import bare
from ase_eqtensor.crystal.validation import as_atoms
from ase_eqtensor.tensors.notation import GPA, rotate_rank2
from ase_eqtensor.train.data.fetch.file import Answer, read_answers
from ase_eqtensor.train.data.fetch.rows import Unusable, rejection
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.record import Record, Rejection

PBE = ("GGA", "GGA+U", "PBE", "PBE+U")  # run types of emmet; GGA is PBE there


class MaterialsProjectSource(Source):
    """Stiffness (6, 6; eV/Å^3, Voigt order xx yy zz yz xz xy, no factors) and relative
    permittivities (3, 3), in the Cartesian frame of the structure calculated."""

    name = "materials-project"

    def __init__(self, path: Path):
        self.path = Path(path)

    def records(self) -> Iterator[Record | Rejection]:
        """Yield a row per document, or a rejection for a material without one.

        Raises DataError if the file is damaged or another source's.
        """
        for answer in read_answers(self.path, self.name):
            documents = answer.content.get("documents") or [{}]
            dataset, parse = _PROPERTY_SETS[answer.property_set]
            for document in documents:
                try:
                    yield parse(self.name, document, answer)
                except Exception as error:  # whatever a malformed document leads pymatgen to
                    formula = str(document.get("formula_pretty") or "")
                    yield rejection(dataset, answer.id, formula, error)


def _elastic(source: str, document: dict, answer: Answer) -> Record:
    _check(document)
    if (order := document.get("order", 2)) != 2:
        raise Unusable(f"another order: the tensor is fitted to order {order}, expected 2")
    structure = document.get("structure")
    if not structure:
        raise Unusable("missing structure: the frame of the tensor is unknown")
    raw = (document.get("elastic_tensor") or {}).get("raw")
    if raw is None:
        raise Unusable("missing target: no elastic_tensor.raw")
    atoms = as_atoms(Structure.from_dict(structure))
    targets = {"elasticity_tensor": np.array(raw, dtype=float) * GPA}
    return Record(bare(atoms), "elastic", source, answer.id, targets)


def _dielectric(source: str, document: dict, answer: Answer) -> Record:
    _check(document)
    tensors = {
        name: np.array(document[field], dtype=float)
        for name, field in (
            ("electronic_dielectric_tensor", "electronic"),
            ("dielectric_tensor", "total"),
        )
        if document.get(field) is not None
    }
    if not tensors:
        raise Unusable("missing target: neither electronic nor total")
    structure, doubt = _calculated(document, answer)
    from_ieee = np.array(Tensor.get_ieee_rotation(structure)).T
    targets = {name: rotate_rank2(tensor, from_ieee) for name, tensor in tensors.items()}
    return Record(bare(as_atoms(structure)), "dielectric", source, answer.id, targets, doubt)


def _calculated(document: dict, answer: Answer) -> tuple[Structure, str]:
    """The structure in whose IEEE frame the tensors are, and what is in doubt about it, or ""."""
    origins = [origin["task_id"] for origin in document.get("origins") or []]
    for task in answer.content.get("tasks") or []:
        structure = (task.get("input") or {}).get("structure")
        if not structure:
            continue
        run_type = task.get("run_type")
        if run_type is not None and run_type not in PBE:
            raise Unusable(f"another level of theory: run type {run_type}, expected PBE")
        doubt = "" if run_type else f"unknown functional: task {task['task_id']} has no run type"
        return Structure.from_dict(structure), doubt
    for summary in answer.content.get("summary") or []:
        if structure := summary.get("structure"):
            return Structure.from_dict(structure), (
                "unknown calculation: the structure is the summary's, which may be of another "
                f"relaxation and functional (task {', '.join(origins) or 'not named'})"
            )
    raise Unusable("missing structure: the frame of the tensor is unknown")


def _check(document: dict) -> None:
    """Raise Unusable if the material has no document or the project itself discards it."""
    if not document:
        raise Unusable("missing document: the Materials Project has none of this material")
    state = document.get("state")
    if document.get("deprecated") or state not in (None, "successful"):
        warnings = "; ".join(map(str, document.get("warnings") or [])) or "no reason given"
        raise Unusable(f"discarded by the Materials Project: {warnings}")


_PROPERTY_SETS = {"elasticity": ("elastic", _elastic), "dielectric": ("dielectric", _dielectric)}
