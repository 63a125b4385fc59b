"""The first Materials Project tensor sets, CSV files in the matminer 0.3.9 source archive.

Stiffness: de Jong et al., Sci. Data 2, 150009 (2015). Dielectric tensors: Petousis et al., Sci.
Data 4, 160134 (2017). Piezoelectric tensors: de Jong et al., Sci. Data 2, 150053 (2015).
Formation energies: Faber et al., Int. J. Quantum Chem. 115, 1094 (2015). CC BY 4.0: cite them.
"""

import ast
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import file_digest
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.io.vasp import read_vasp

from ase_eqtensor.crystal.lattice import bare
from ase_eqtensor.errors import DataError
from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.data.sources.base import Source
from ase_eqtensor.train.data.sources.frames import Frame, read_frames
from ase_eqtensor.train.record import Record, Rejection
from ase_eqtensor.train.targets.piezoelectric import MOST_READINGS, NOISE, READINGS

VERSION = "0.3.9"
SHA256 = "3faf9e83464f3d48f68a759bf476ad24da4c8c3e950c8f340cb917d3bb906400"


class MatminerSource(Source):
    """The four CSV files of the archive, read without unpacking it.

    `archive` is a local copy of matminer-0.3.9.tar.gz; None downloads it with pip into a
    temporary folder (pip runs the archive's old setup script, so only the data command should do
    this). `sha256` is the expected hash of the archive.
    """

    name = f"matminer-{VERSION}"

    def __init__(self, archive: Path | None = None, sha256: str = SHA256):
        self.archive = archive
        self.sha256 = sha256

    def records(self) -> Iterator[Record | Rejection]:
        """Yield the rows of all four sets. Raises DataError if the archive is missing or wrong."""
        frames = read_frames()
        for row in self._read(_FILES):
            if isinstance(row, Record) and PIEZOELECTRIC.name in row.targets:
                row = _in_frame(row, frames)
            yield row

    def piezoelectric(self) -> Iterator[Record]:
        """Yield the readable piezoelectric rows, their tensors as written. Raises as `records`."""
        for row in self._read(["piezoelectric"]):
            if isinstance(row, Record):
                yield row

    def _read(self, datasets: Iterable[str]) -> Iterator[Record | Rejection]:
        with tempfile.TemporaryDirectory() as folder:
            archive = download(Path(folder)) if self.archive is None else Path(self.archive)
            verify(archive, self.sha256)
            with tarfile.open(archive) as tar:
                for dataset in datasets:
                    file, parse = _FILES[dataset]
                    for row in _rows(tar, archive, file):
                        yield self._record(dataset, row, parse)

    def _record(self, dataset: str, row: dict, parse: Callable) -> Record | Rejection:
        try:
            atoms, targets = parse(row)
            return Record(bare(atoms), dataset, self.name, row["material_id"], targets)
        except (ValueError, TypeError, LookupError, SyntaxError, RuntimeError) as error:
            reason = f"unreadable: {type(error).__name__}: {error}"
            return Rejection(dataset, row["material_id"], row["formula"], reason)


def download(folder: Path) -> Path:
    """Fetch the source archive with pip into `folder`. Raises DataError if pip cannot."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "matminer"]
    command += ["--dest", str(folder), f"matminer=={VERSION}"]
    pip = subprocess.run(command, check=False, capture_output=True, text=True)
    archives = list(folder.glob("matminer-*.tar.gz"))
    if pip.returncode or not archives:
        reason = (pip.stderr.strip() or "no message").splitlines()[-1]
        raise DataError(
            f"matminer-{VERSION}.tar.gz could not be downloaded ({reason}). Without network, fetch "
            f"it elsewhere with `pip {' '.join(command[3:7])} matminer=={VERSION}` and pass the "
            "file with --archive."
        )
    return archives[0]


def verify(archive: Path, sha256: str = SHA256) -> None:
    """Raise DataError unless `archive` is a file with this SHA-256."""
    if not archive.is_file():
        raise DataError(f"no archive at {archive}: pass the path of matminer-{VERSION}.tar.gz")
    with archive.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
    if digest != sha256:
        raise DataError(
            f"{archive} has SHA-256 {digest}, expected {sha256}: it is damaged or another version. "
            f"Fetch matminer-{VERSION}.tar.gz (the source archive) again."
        )


def _rows(tar: tarfile.TarFile, archive: Path, file: str) -> Iterator[dict]:
    member = f"matminer-{VERSION}/matminer/datasets/{file}"
    try:
        stream = tar.extractfile(member)
    except KeyError:
        stream = None
    if stream is None:
        raise DataError(f"{archive} holds no file {member}")
    # Line 1 is the citation. Some headers lack a name for the leading row number, which pandas
    # then takes as the index. Everything stays text, because "NaN" is a compound here.
    table = pd.read_csv(stream, skiprows=1, dtype=str, keep_default_na=False)
    return iter(table.to_dict("records"))


def _poscar(row: dict) -> Atoms:
    return read_vasp(StringIO(row["poscar"]))


def _array(text: str) -> np.ndarray:
    return np.array(json.loads(text), dtype=float)


def _elastic(row: dict) -> tuple[Atoms, dict]:
    # elastic_tensor is in the IEEE frame; _original is in the frame of the poscar column
    return _poscar(row), {"elasticity_tensor": _array(row["elastic_tensor_original"]) * GPA}


def _dielectric(row: dict) -> tuple[Atoms, dict]:
    return _poscar(row), {
        "electronic_dielectric_tensor": _array(row["e_electronic"]),
        "dielectric_tensor": _array(row["e_total"]),
    }


def _piezoelectric(row: dict) -> tuple[Atoms, dict]:
    return _poscar(row), {PIEZOELECTRIC.name: _array(row["piezoelectric_tensor"]) / C_PER_M2}


def _formation_energy(row: dict) -> tuple[Atoms, dict]:
    structure = ast.literal_eval(row["structure"])  # a pymatgen dict as a Python literal
    species = [site["species"] for site in structure["sites"]]
    if any(len(s) != 1 or s[0]["occu"] != 1 for s in species):
        raise ValueError("partial occupancies")
    atoms = Atoms(
        [s[0]["element"] for s in species],
        scaled_positions=[site["abc"] for site in structure["sites"]],
        cell=structure["lattice"]["matrix"],
    )
    return atoms, {"formation_energy": float(row["formation_energy_per_atom"])}


def _in_frame(record: Record, known: Mapping[str, Sequence[Frame]]) -> Record | Rejection:
    """A piezoelectric row with its tensor in the frame of its structure or, where several frames
    are as likely, with all that it may stand for."""
    written = np.asarray(record.targets[PIEZOELECTRIC.name])
    if np.linalg.norm(written) < NOISE:
        return record
    if not (frames := known.get(record.source_id)):
        return record.rejected(
            "unknown frame: its tensor obeys the point group in none, or nothing tells in which"
        )
    turned = [PIEZOELECTRIC.rotate(written, frame.rotation) for frame in frames]
    if len(turned) == 1:
        return replace(record, targets={PIEZOELECTRIC.name: turned[0]})
    several = turned + turned[:1] * (MOST_READINGS - len(turned))
    return replace(record, targets={READINGS: np.stack(several)})


_FILES = {
    "elastic": ("elastic_tensor.csv", _elastic),
    "dielectric": ("dielectric_constant.csv", _dielectric),
    "piezoelectric": ("piezoelectric_tensor.csv", _piezoelectric),
    "formation_energy": ("flla_2015.csv", _formation_energy),
}
