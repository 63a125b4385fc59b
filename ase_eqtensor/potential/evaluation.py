"""Forces and stresses of many structures: in one pass where the calculator can."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ..errors import StructureError

BATCH_ATOMS = 100  # in one pass, so that memory does not grow with the number of structures


class Answer(NamedTuple):
    """forces: (P, 3) in eV/Å, without their mean. stress: (3, 3) in eV/Å^3, positive under
    tension."""

    forces: np.ndarray
    stress: np.ndarray


def forces_and_stress(images: Sequence[Atoms], calculator: BaseCalculator) -> list[Answer]:
    """What a calculator says of structures of equal size, P atoms each.

    SevenNet's potentials take many structures in one pass, other calculators one after another.
    Raises StructureError where a number is not finite, and whatever the calculator raises.
    """
    answers: list[Answer] = []
    size = max(1, BATCH_ATOMS // len(images[0])) if is_sevennet(calculator) else 1
    for i in range(0, len(images), size):
        batch = images[i : i + size]
        answers += _one(batch[0], calculator) if len(batch) == 1 else _many(batch, calculator)
    for forces, stress in answers:
        if not (np.isfinite(forces).all() and np.isfinite(stress).all()):
            raise StructureError("the calculator gives forces or a stress that are not finite")
    return [Answer(forces - forces.mean(axis=0), stress) for forces, stress in answers]


def _one(atoms: Atoms, calculator: BaseCalculator) -> list[Answer]:
    atoms.calc = calculator
    return [Answer(atoms.get_forces(), atoms.get_stress(voigt=False))]


def is_sevennet(calculator: BaseCalculator) -> bool:
    """Whether it is one that `batched` knows; without importing what is not there."""
    module = sys.modules.get("sevenn.calculator")
    return module is not None and type(calculator) is module.SevenNetCalculator


def batched(images: Sequence[Atoms], calculator):
    """Graphs of structures as SevenNet's potentials read them in one pass.

    Raises what the calculator raises for an element that it does not know.
    """
    from sevenn import _keys as keys
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.train.dataload import unlabeled_atoms_to_graph
    from torch_geometric.data import Batch

    graphs = []
    for atoms in images:
        calculator.set_atoms(atoms)  # refuses elements that it does not know
        graph = unlabeled_atoms_to_graph(atoms, calculator.cutoff, with_shift=False)
        graphs.append(AtomGraphData.from_numpy_dict(graph))
        if calculator.modal:
            graphs[-1][keys.DATA_MODALITY] = calculator.modal
    return Batch.from_data_list(graphs).to(calculator.device)


def _many(images: Sequence[Atoms], calculator) -> list[Answer]:
    from sevenn import _keys as keys

    graphs = batched(images, calculator)
    calculator.model.set_is_batch_data(True)
    try:
        output = calculator.model(graphs)
    finally:
        calculator.model.set_is_batch_data(False)  # as the calculator itself wants it
    forces = output[keys.PRED_FORCE].detach().cpu().numpy().reshape(len(images), -1, 3)
    # xx yy zz xy yz zx, with the sign of a pressure
    xx, yy, zz, xy, yz, zx = -output[keys.PRED_STRESS].detach().cpu().numpy().T
    stress = np.stack([xx, xy, zx, xy, yy, yz, zx, yz, zz], axis=1).reshape(-1, 3, 3)
    return [Answer(*pair) for pair in zip(forces, stress)]
