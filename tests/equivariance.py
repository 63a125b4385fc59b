"""Reusable pieces: predictions of the bare network, moved crystals, and how tensors must follow."""

import numpy as np
import torch
from ase import Atoms
from scipy.stats import ortho_group

from ase_eqtensor.crystal.graph import build_graph, collate
from ase_eqtensor.crystal.symmetry import analyse
from ase_eqtensor.network.model import TensorNetwork
from ase_eqtensor.quantities import offered
from ase_eqtensor.tensors.notation import mandel_rotation, rotate_rank2, rotate_stiffness

STIFFNESS_LIKE = ("elasticity_tensor", "compliance_tensor")  # network outputs in Mandel form
DIELECTRIC = ("electronic_dielectric_tensor", "dielectric_tensor")  # network outputs, (3, 3)
PIEZOELECTRIC = "piezoelectric_tensor"  # (3, 6), columns in Mandel form
TENSORS = (*STIFFNESS_LIKE, *DIELECTRIC, PIEZOELECTRIC)


def graph_of(network: TensorNetwork, atoms: Atoms):
    """The graph of the cell as given: no reduction to the primitive cell."""
    return build_graph(atoms, network.architecture.cutoff, analyse(atoms).site_class)


def bare(network: TensorNetwork, *crystals: Atoms) -> list[dict[str, np.ndarray]]:
    """Outputs of the network alone, crystals in one batch; no reduction, no projection."""
    with torch.no_grad():
        output = network(collate([graph_of(network, atoms) for atoms in crystals]))
    return [{k: v[i].numpy() for k, v in output.items()} for i in range(len(crystals))]


def properties(calc, atoms: Atoms) -> dict[str, np.ndarray]:
    """All properties of a calculator."""
    return {name: calc.get_property(name, atoms) for name in offered()}


def orthogonal(seed: int, proper: bool = True) -> np.ndarray:
    """A random rotation, or one times the inversion (so mirrors and rotoinversions too)."""
    q = ortho_group.rvs(3, random_state=seed)
    return q * np.linalg.det(q) * (1 if proper else -1)


MIRROR = np.diag([1.0, 1.0, -1.0])
INVERSION = -np.eye(3)
MOVES = {
    "rotation": orthogonal(1),
    "rotoinversion": orthogonal(2, proper=False),
    "inversion": INVERSION,
    "mirror": MIRROR,
}


def turned(atoms: Atoms, q: np.ndarray) -> Atoms:
    """The crystal with every vector x replaced by Q x."""
    moved = atoms.copy()
    moved.set_cell(atoms.cell[:] @ q.T)
    moved.positions = atoms.positions @ q.T
    return moved


def permuted(atoms: Atoms, seed: int = 0) -> Atoms:
    return atoms[np.random.default_rng(seed).permutation(len(atoms))]


def rotate_output(name: str, tensor: np.ndarray, q: np.ndarray) -> np.ndarray:
    """How an output of the network must turn with the crystal; Q may be a stack of matrices."""
    if name in STIFFNESS_LIKE:
        return rotate_rank2(tensor, mandel_rotation(q))
    if name == PIEZOELECTRIC:
        return q @ tensor @ np.swapaxes(mandel_rotation(q), -1, -2)
    return rotate_rank2(tensor, q) if name in DIELECTRIC else tensor


def rotate_property(name: str, tensor: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The same for a property of the calculator."""
    if name == "compliance_tensor":
        return np.linalg.inv(rotate_stiffness(np.linalg.inv(tensor), q))
    if tensor.shape == (3, 6):
        pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
        whole = np.zeros((3, 3, 3))
        for column, (j, k) in enumerate(pairs):
            whole[:, j, k] = whole[:, k, j] = tensor[:, column]
        whole = np.einsum("ia,jb,kc,abc->ijk", q, q, q, whole)
        return np.stack([whole[:, j, k] for j, k in pairs], axis=1)
    return rotate_stiffness(tensor, q) if tensor.shape == (6, 6) else rotate_rank2(tensor, q)


def relative(a: np.ndarray, b: np.ndarray) -> float:
    """Absolute where `b` is zero."""
    return float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1.0))


def assert_same(outputs: dict, expected: dict, tolerance: float) -> None:
    assert outputs.keys() == expected.keys()
    for name, tensor in expected.items():
        assert np.linalg.norm(outputs[name] - tensor) < tolerance * _size(name, tensor), name


def _size(name: str, tensor: np.ndarray) -> float:
    """By which an error is to be divided; of what may vanish, a usual value."""
    usual = {PIEZOELECTRIC: 0.02, "formation_energy": 1.0}  # e/Å^2, eV/atom
    return usual.get(name) or float(np.linalg.norm(tensor))


def assert_equivariant(function, atoms: Atoms, q: np.ndarray, tolerance: float) -> None:
    """function(Q atoms) = Q function(atoms) for every output of the network."""
    before, after = function(atoms), function(turned(atoms, q))
    assert_same(after, {n: rotate_output(n, t, q) for n, t in before.items()}, tolerance)


def anisotropy(name: str, tensor: np.ndarray) -> float:
    """Relative change under a generic rotation: zero for an isotropic tensor only."""
    return relative(rotate_output(name, tensor, orthogonal(7)), tensor)
