"""Small networks with random weights: fast, and as good as trained ones for every contract."""

import torch

from ase_eqtensor.models.card import Card, Member
from ase_eqtensor.network.model import Architecture, TensorNetwork
from ase_eqtensor.quantities import heads

SMALL = dict(
    hidden="8x0e + 4x1o + 4x2e",
    output="8x0e + 4x2e + 4x4e",
    odd="4x0e + 4x1o + 4x2o + 4x3o",
    radial=4,
    embedding=8,
    head=8,
    cutoff=5.0,
    mean_neighbours=33.0,
)
# logarithms of a typical stiffness (eV/Å^3) and of typical permittivities
REFERENCE = {"stiffness": [[0.6, -1.1]], "electronic": [[2.4]], "ionic": [[2.8]]}

BUILT = {**SMALL, "reference": REFERENCE, "heads": list(heads())}

ALL_ELEMENTS = range(1, 95)
# no Cl in the stiffness data, no Tc in the dielectric ones
COUNTS = {
    "elasticity_tensor": {z: 9 for z in ALL_ELEMENTS if z != 17},
    "electronic_dielectric_tensor": {z: 9 for z in ALL_ELEMENTS if z != 43},
    "dielectric_tensor": {z: 9 for z in ALL_ELEMENTS if z != 43},
    "piezoelectric_tensor": {z: 9 for z in ALL_ELEMENTS if z != 43},
}
MADE_UP = {"elasticity_tensor": "made up", "dielectric_tensor": "made up"}


def card(**changes) -> Card:
    """The card of a small network, which was never calibrated; `changes` replace its fields."""
    content = {
        "architecture": Architecture(**BUILT),
        "level_of_theory": MADE_UP,
        "elements": COUNTS,
        "members": [Member(fold=0, seed=0)],
    }
    return Card(**content | changes)


def tiny_network(seed: int = 0, noise: float = 0.1, **architecture) -> TensorNetwork:
    """Network in evaluation mode; `noise` shakes all parameters, so that those of the classes,
    which start at zero, differ from class to class."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TensorNetwork(Architecture(**BUILT | architecture))
        for parameter in network.parameters():
            parameter.data += noise * torch.randn_like(parameter)
    return network.eval().requires_grad_(False)
