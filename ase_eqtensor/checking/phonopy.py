"""The permittivity in phonopy's BORN, whose second line has the nine numbers of eps_inf in the
Cartesian frame of the primitive cell; the crystal lies beside it."""

from pathlib import Path

import numpy as np
from ase import Atoms

from ..errors import DataError
from ..files.reading import first_crystal
from ..quantities.permittivity import ELECTRONIC

BESIDE = ("POSCAR-unitcell", "POSCAR_unitcell", "POSCAR", "CONTCAR")
YAML = ("phonopy_params.yaml", "phonopy_disp.yaml", "phonopy.yaml")
CELLS = ("primitive_cell", "unit_cell")


def is_born(path: Path) -> bool:
    """Whether the name is that of a BORN."""
    return path.name == "BORN" or path.name.startswith("BORN.")


def read_born(
    path: Path, structure: Atoms | None = None
) -> tuple[Atoms, dict[str, np.ndarray], frozenset[str]]:
    """Crystal and eps_inf of a BORN.

    Raises DataError for another file, or without a crystal beside it (phonopy*.yaml, POSCAR).
    """
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    try:
        numbers = [float(word) for word in lines[1].split("#")[0].split()]
    except (IndexError, ValueError):
        numbers = []
    if len(numbers) != 9:
        raise DataError(
            f"{path}: the second line of a BORN has the nine numbers of the permittivity"
        )
    atoms = structure or _beside(path)
    return atoms, {ELECTRONIC.name: np.array(numbers).reshape(3, 3)}, frozenset()


def _beside(path: Path) -> Atoms:
    for name in YAML:
        if (path.parent / name).is_file():
            return _of_yaml(path.parent / name)
    for name in BESIDE:
        if (path.parent / name).is_file():
            return first_crystal(path.parent / name)
    raise DataError(
        f"{path}: no crystal beside it ({', '.join([*YAML, *BESIDE])}); name its file with "
        "--structure"
    )


def _of_yaml(path: Path) -> Atoms:
    from ruamel.yaml import YAML as Reader  # of pymatgen's

    content = Reader(typ="safe").load(path)
    cell = next((content[name] for name in CELLS if content.get(name)), None)
    if cell is None:
        raise DataError(f"{path}: neither {' nor '.join(CELLS)} in it; use --structure")
    points = cell.get("points") or cell.get("atoms")
    return Atoms(
        [point["symbol"] for point in points],
        scaled_positions=[point.get("coordinates", point.get("position")) for point in points],
        cell=cell["lattice"],
        pbc=True,
    )
