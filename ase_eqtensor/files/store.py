"""Crystals with their tensors in files: write, read back, select on.

ASE's own writers keep what its registry knows, `dielectric_tensor`, and drop the rest, each in its
own way. `freeze` puts everything where extended XYZ and trajectory files keep it, `save` and `load`
also where JSON files and ASE databases do:

| | extxyz, traj | db, json, PostgreSQL |
|---|---|---|
| `dielectric_tensor` | `atoms.calc.results` | `row.data` |
| `electronic_dielectric_tensor`, `elasticity_tensor_ev_per_ang3` | `atoms.info` | `row.data` |
| model, hash, level of theory, flags, uncertainty | `atoms.info["eqtensor"]` | `row.data` |
| k_vrh_gpa, eps_total, ... to select on | - | `row.key_value_pairs` |

`load` gives the first form for all of them, and `tensors` the arrays under the names that the
calculator has for them.
"""

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_properties
from ase.calculators.singlepoint import SinglePointCalculator
from ase.db.core import Database
from ase.spacegroup import Spacegroup

from ..calculator import EqTensorCalculator
from ..errors import DataError, OutputExistsError
from ..extras import extra
from ..prediction.predictor import Prediction
from ..properties import PROPERTIES
from ..tensors.moduli import reuss_average, voigt_average
from ..tensors.notation import GPA, voigt_to_mandel

INFO_KEYS = {
    "electronic_dielectric_tensor": "electronic_dielectric_tensor",
    "elasticity_tensor": "elasticity_tensor_ev_per_ang3",
}
RECORD = "eqtensor"  # key of `Prediction.record`
GIVEN = "given_"  # before a key of the user's that has the name of one of ours
DATABASES = (".db", ".json")
FILES = (".extxyz", ".traj")


def freeze(atoms: Atoms, prediction: Prediction | None = None, source: str | None = None) -> Atoms:
    """A copy of a crystal that carries its tensors through ASE's writers.

    Args:
        atoms: the crystal. Its info stays, and so do the energy, forces, ... of another
            calculator, if they belong to these positions.
        prediction: of this crystal; None takes that of its `EqTensorCalculator`. Several crystals
            may share one calculator: every copy has a calculator of its own.
        source: where the crystal comes from, for the databases' key of this name.

    Returns:
        Atoms in the same frame, with a `SinglePointCalculator` that has `dielectric_tensor` (3, 3),
        and in `info` `electronic_dielectric_tensor` (3, 3), `elasticity_tensor_ev_per_ang3` (6, 6)
        in Voigt order xx yy zz yz xz xy, and `eqtensor`, the dictionary of `Prediction.record`.
        Properties that were refused are absent.

    Raises:
        TypeError: no prediction, and no `EqTensorCalculator` attached.
        EqTensorError: nothing was predicted; the reason.
    """
    prediction = _attached(atoms) if prediction is None else prediction
    if prediction.error is not None:
        raise prediction.error
    frozen = atoms.copy()
    for name, key in INFO_KEYS.items():
        frozen.info.pop(key, None)
        if name in prediction:
            frozen.info[key] = prediction.tensors[name]
    frozen.info[RECORD] = prediction.record()
    if source is not None:
        frozen.info["key_value_pairs"] = frozen.info.get("key_value_pairs", {}) | {"source": source}
    results = _results_of_others(atoms)
    if "dielectric_tensor" in prediction:
        results["dielectric_tensor"] = prediction.tensors["dielectric_tensor"]
    if results:
        frozen.calc = SinglePointCalculator(frozen, **results)
    return frozen


def tensors(frozen: Atoms) -> dict[str, np.ndarray]:
    """Property name -> array of atoms made by `freeze` or `load`, shapes and units of `PROPERTIES`,
    in their frame. The compliance is the inverse of the stiffness."""
    results = frozen.calc.results if frozen.calc else {}
    found = {"dielectric_tensor": results.get("dielectric_tensor")}
    found |= {name: frozen.info.get(key) for name, key in INFO_KEYS.items()}
    arrays = {k: np.asarray(v, dtype=float) for k, v in found.items() if v is not None}
    if "elasticity_tensor" in arrays:
        arrays["compliance_tensor"] = np.linalg.inv(arrays["elasticity_tensor"])
    return {name: arrays[name] for name in PROPERTIES if name in arrays}


def scalars(frozen: Atoms) -> dict[str, float | bool]:
    """What databases are searched by.

    k_vrh_gpa, g_vrh_gpa: Voigt-Reuss-Hill averages in GPa.
    anisotropy: universal elastic anisotropy 5 G_V/G_R + K_V/K_R - 6, zero for an isotropic crystal
        (S. I. Ranganathan and M. Ostoja-Starzewski, Phys. Rev. Lett. 101, 055504 (2008)).
    eps_inf, eps_total: a third of the trace.
    elasticity_error_90, electronic_dielectric_error_90, dielectric_error_90: relative errors that
        nine crystals in ten stay below.
    Every flag of the prediction, such as likely_metal, is True where it is raised and absent
    elsewhere.
    """
    known, record = tensors(frozen), frozen.info.get(RECORD, {})
    numbers: dict[str, float | bool] = {}
    if "elasticity_tensor" in known:
        stiffness = voigt_to_mandel(torch.tensor(known["elasticity_tensor"]))
        k_voigt, g_voigt = (float(m) / GPA for m in voigt_average(stiffness))
        k_reuss, g_reuss = (float(m) / GPA for m in reuss_average(torch.linalg.inv(stiffness)))
        numbers["k_vrh_gpa"] = (k_voigt + k_reuss) / 2
        numbers["g_vrh_gpa"] = (g_voigt + g_reuss) / 2
        numbers["anisotropy"] = 5 * g_voigt / g_reuss + k_voigt / k_reuss - 6
    for key, name in (
        ("eps_inf", "electronic_dielectric_tensor"),
        ("eps_total", "dielectric_tensor"),
    ):
        if name in known:
            numbers[key] = float(np.trace(known[name])) / 3
    for name, estimate in record.get("uncertainty", {}).items():
        if name in known and name != "compliance_tensor":
            numbers[f"{name.removesuffix('_tensor')}_error_90"] = estimate["relative_error"]["0.9"]
    return numbers | dict.fromkeys(record.get("flags", ()), True)


def save(path: str | Path, images: Sequence[Atoms], overwrite: bool = False) -> None:
    """Write crystals made by `freeze` to one file: .extxyz, .traj, .db, .json (both ASE databases)
    or a postgresql:// address.

    A file appears under its name only when it is complete. Rows are added to a PostgreSQL database.

    Raises:
        OutputExistsError: there is such a file, and `overwrite` is False.
        DataError: another kind of file.
    """
    if is_address(path):
        with connect(path) as db:
            write_rows(db, images)
        return
    path = Path(path)
    check_output(path, overwrite)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
        part = Path(folder) / path.name
        if path.suffix in DATABASES:
            with connect(part) as db:
                write_rows(db, images)
        else:
            ase.io.write(part, images)
        os.replace(part, path)


def load(path: str | Path) -> list[Atoms]:
    """The crystals of a file written by `save`, each as `freeze` made it.

    Rows of a database have their key-value pairs in `info["key_value_pairs"]`, as ASE names them.

    Raises DataError if there is no such file.
    """
    if not is_address(path) and not Path(path).is_file():
        raise DataError(f"no file {path}")
    if is_address(path) or Path(path).suffix in DATABASES:
        with connect(path) as db:
            return [from_row(row) for row in db.select()]
    return ase.io.read(path, ":")


def check_output(path: Path, overwrite: bool = False) -> None:
    """Raise DataError if `save` cannot write such a file, OutputExistsError if it would replace one
    without `overwrite`; before work is done in vain."""
    if path.suffix not in DATABASES + FILES:
        kinds = ", ".join(DATABASES + FILES)
        raise DataError(f"{path}: cannot keep tensors in such a file; choose one of {kinds}")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists: choose another name, or overwrite it on purpose")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}")


def is_address(path: str | Path) -> bool:
    """Whether it is the address of a PostgreSQL database rather than a file."""
    return str(path).startswith(("postgresql://", "postgres://"))


def connect(path: str | Path) -> Database:
    """An ASE database for reading and writing, SQLite, JSON or PostgreSQL.

    Without lock files: those of a killed process would block the next one for good, and SQLite has
    locks of its own. Raises MissingExtraError for PostgreSQL without its extra.
    """
    if is_address(path):
        with extra("postgres"):
            import ase_db_backends.postgresql  # noqa: F401 (ASE's connect needs it)
            import psycopg2  # noqa: F401
    return ase.db.connect(path, use_lock_file=False)


def write_rows(db: Database, images: Iterable[Atoms]) -> None:
    """Add crystals made by `freeze` to an open ASE database, with `scalars` to select on.

    Key-value pairs of the crystal itself (`info["key_value_pairs"]`) are kept, as given_NAME where
    the name is one of ours; the rest of its info is `row.data["info"]`, the space group of ASE's
    CIF reader as its number.

    Raises DataError if something else in the info of a crystal cannot be stored.
    """
    for image in images:
        info = dict(image.info)
        data = {key: info.pop(key) for key in (*INFO_KEYS.values(), RECORD) if key in info}
        ours = scalars(image)
        pairs = {
            (GIVEN + key if key in ours else key): value
            for key, value in info.pop("key_value_pairs", {}).items()
        }
        if image.calc and "dielectric_tensor" in image.calc.results:
            data["dielectric_tensor"] = image.calc.results["dielectric_tensor"]
        if isinstance(info.get("spacegroup"), Spacegroup):
            info["spacegroup"] = info["spacegroup"].no
        try:
            db.write(image, key_value_pairs=pairs | ours, data={**data, "info": info})
        except (AttributeError, TypeError, ValueError) as error:  # whatever ASE's encoder meets
            raise DataError(
                f"{image.get_chemical_formula()}: its info cannot be stored in a database "
                f"({error}); remove what is neither text, number nor array from {sorted(info)}"
            ) from error


def from_row(row) -> Atoms:
    """Atoms as `freeze` made them of a row that `write_rows` wrote; of any other row, its atoms."""
    atoms, data = row.toatoms(), dict(row.data)
    atoms.info |= data.pop("info", {})
    if row.key_value_pairs:
        atoms.info["key_value_pairs"] = row.key_value_pairs
    results = _results_of_others(atoms)
    if (dielectric := data.pop("dielectric_tensor", None)) is not None:
        results["dielectric_tensor"] = dielectric
        atoms.calc = SinglePointCalculator(atoms, **results)
    atoms.info |= data
    return atoms


def _attached(atoms: Atoms) -> Prediction:
    calc = atoms.calc
    if not isinstance(calc, EqTensorCalculator):
        raise TypeError(
            f"{atoms.get_chemical_formula()} has no EqTensorCalculator: attach one, or pass its "
            "prediction"
        )
    if calc.prediction is None or calc.check_state(atoms):
        calc.calculate(atoms)
    return calc.prediction


def _results_of_others(atoms: Atoms) -> dict:
    calc = atoms.calc
    if not isinstance(calc, Calculator) or isinstance(calc, EqTensorCalculator):
        return {}
    if calc.check_state(atoms):  # the atoms have moved since
        return {}
    return {k: v for k, v in calc.results.items() if k in all_properties and v is not None}
