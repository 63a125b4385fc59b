"""Writes the recorded answers beside it from crystals of a training database.

    python tests/train/data/recorded/make.py crystals.db

The documents are made by the models and converters of the databases' own libraries (emmet-core,
jarvis-tools), from known tensors; `known` holds these, in eV/Å^3 and without unit, in the frame in
which the sources must give them back. Every crystal is turned first, so that no frame is right by
chance.
"""

import json
import sys
from pathlib import Path

import ase.db
import numpy as np
from emmet.core.elasticity import ElasticityDoc, ElasticTensorDoc
from emmet.core.polar import DielectricDoc
from jarvis.analysis.structure.spacegroup import Spacegroup3D
from jarvis.core.atoms import Atoms as JarvisAtoms
from pymatgen.core import Lattice, Structure
from pymatgen.core.elasticity import ElasticTensor
from scipy.spatial.transform import Rotation

from ase_eqtensor.crystal.formula import reduced_formula
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.tensors.notation import (
    GPA,
    project_rank2,
    project_stiffness,
    rotate_rank2,
    rotate_stiffness,
)
from ase_eqtensor.train.data.fetch.materials_project import FIELDS

HERE = Path(__file__).parent
TURN = Rotation.from_euler("zyx", [20, 40, 70], degrees=True).as_matrix()
VASP_ORDER = [0, 1, 2, 5, 3, 4]  # xx yy zz xy yz zx in xx yy zz yz xz xy
STIFFNESS = ["mp-2646", "mp-2858", "mp-1224"]  # Mg3Sb2, ZrO2, HgO
PERMITTIVITY = ["mp-2646", "mp-2858", "mp-1224", "mp-10919"]  # and Rb2PtC2
JARVIS = ["mp-8062", "mp-1224", "mp-2858", "mp-2646"]  # SiC, HgO, ZrO2, Mg3Sb2


def read(path):
    crystals = {}
    with ase.db.connect(path, use_lock_file=False) as db:
        for row in db.select():
            if row.source_id in {*STIFFNESS, *PERMITTIVITY, *JARVIS} and row.data:
                crystals[row.source_id, row.dataset] = row.toatoms(), dict(row.data)
    return crystals


def turned(atoms):
    return Structure(
        atoms.cell.array @ TURN.T, atoms.get_chemical_symbols(), atoms.get_scaled_positions()
    )


def plain(document, property_set):
    fields = json.loads(document.model_dump_json())
    fields["structure"] = document.structure and document.structure.as_dict()
    return {name: fields.get(name) for name in FIELDS[property_set] if name in fields}


def elasticity(crystals, known):
    for name in STIFFNESS:
        atoms, targets = crystals[name, "elastic"]
        structure = turned(atoms)
        stiffness = rotate_stiffness(np.array(targets["elasticity_tensor"]), TURN)
        tensor = ElasticTensor.from_voigt(stiffness / GPA)
        known.setdefault("elasticity", {})[name] = stiffness.tolist()
        document = ElasticityDoc.from_structure(
            structure, name, order=2, state="successful", deprecated=False,
            fitting_method="finite_difference",
            elastic_tensor=ElasticTensorDoc(
                raw=tensor.voigt.tolist(),
                ieee_format=tensor.convert_to_ieee(structure).round(0).voigt.tolist(),
            ),
        )  # fmt: skip
        yield plain(document, "elasticity")


def dielectric(crystals, known):
    for number, name in enumerate(PERMITTIVITY):
        atoms, targets = crystals[name, "dielectric"]
        structure = turned(atoms)
        group = analyse(atoms).rotations
        electronic, total = (
            rotate_rank2(project_rank2(np.array(targets[key]), group), TURN)
            for key in ("electronic_dielectric_tensor", "dielectric_tensor")
        )
        known.setdefault("dielectric", {})[name] = [electronic.tolist(), total.tolist()]
        task = f"mp-{1_000_000 + number}"
        origin = {"name": "dielectric", "task_id": task, "last_updated": "2025-01-01T00:00:00Z"}
        document = DielectricDoc.from_ionic_and_electronic(
            total - electronic, electronic, structure, name, deprecated=False, origins=[origin]
        )
        run = {"task_id": task, "run_type": "GGA", "input": {"structure": structure.as_dict()}}
        summary = {"material_id": name, "structure": structure.as_dict()}
        yield {k: v for k, v in plain(document, "dielectric").items() if v}, run, summary


def jarvis(crystals, known):
    for number, name in enumerate(JARVIS):
        atoms, targets = crystals[name, "elastic"]
        entry_atoms = JarvisAtoms(
            lattice_mat=atoms.cell.array @ TURN.T, elements=atoms.get_chemical_symbols(),
            coords=atoms.get_scaled_positions(), cartesian=False,
        )  # fmt: skip
        cell = Spacegroup3D(entry_atoms).conventional_standard_structure.pymatgen_converter()
        stiffness = project_stiffness(
            np.array(targets["elasticity_tensor"]), analyse(atoms).rotations
        )
        stiffness = rotate_stiffness(stiffness, rotation_to(atoms, cell))
        jid = f"JVASP-{number + 1}"
        known.setdefault("jarvis", {})[jid] = stiffness.tolist()
        tensor = (stiffness / GPA)[np.ix_(VASP_ORDER, VASP_ORDER)]
        yield {
            "jid": jid, "formula": reduced_formula(atoms), "func": "OptB88vdW",
            "atoms": entry_atoms.to_dict(), "elastic_tensor": tensor.round(6).tolist(),
            "epsx": "na", "bulk_modulus_kv": "na", "dfpt_piezo_max_dielectric": "na",
        }  # fmt: skip


def rotation_to(atoms, cell):
    """The proper rotation that takes the crystal `atoms` to the crystal `cell`, tried out.

    Unique up to the point group: mappings of the lattice that part the atoms are left out.
    """
    start = Structure(
        atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions()
    ).get_primitive_structure()
    end = cell.get_primitive_structure()
    for _, rotation, _ in end.lattice.find_all_mappings(start.lattice, ltol=1e-3, atol=0.1):
        for q in (rotation, rotation.T, -rotation, -rotation.T):
            moved = start.cart_coords @ q.T
            same_lattice = np.linalg.solve(end.lattice.matrix.T, q @ start.lattice.matrix.T)
            if abs(same_lattice - same_lattice.round()).max() > 1e-2:
                continue
            if coincide(end.lattice, moved, start.species, end):
                return q
    raise RuntimeError("no rotation found")


def coincide(lattice: Lattice, moved, species, end):
    fractional = lattice.get_fractional_coords(moved)
    for site in (s for s in end if s.specie == species[0]):
        shifted = fractional - fractional[0] + site.frac_coords
        distances = lattice.get_all_distances(shifted, end.frac_coords)
        nearest = distances.argmin(axis=1)
        if distances.min(axis=1).max() < 0.05 and all(
            species[i] == end[j].specie for i, j in enumerate(nearest)
        ):
            return True
    return False


def main():
    crystals, known = read(sys.argv[1]), {}
    documents = {"elasticity": list(elasticity(crystals, known))}
    dielectrics, tasks, summaries = zip(*dielectric(crystals, known))
    documents |= {"dielectric": dielectrics, "tasks": tasks, "summary": summaries}
    entries = list(jarvis(crystals, known))
    (HERE / "materials_project.json").write_text(json.dumps(documents) + "\n")
    (HERE / "jarvis_dft_3d.json").write_text(json.dumps(entries) + "\n")
    (HERE / "known.json").write_text(json.dumps(known) + "\n")


if __name__ == "__main__":
    main()
