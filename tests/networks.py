"""Small networks with random weights: fast, and as good as trained ones for every contract."""

import torch

from ase_eqtensor.network.model import Architecture, TensorNetwork

SMALL = dict(
    hidden="8x0e + 4x1o + 4x2e",
    output="8x0e + 4x2e + 4x4e",
    radial=4,
    embedding=8,
    head=8,
    cutoff=5.0,
    mean_neighbours=33.0,
)
# logarithms of a typical stiffness (eV/Å^3) and of typical permittivities
REFERENCE = {"stiffness": [[0.6, -1.1]], "electronic": [[2.4]], "ionic": [[2.8]]}

ALL_ELEMENTS = range(1, 95)
CARD = {
    "level_of_theory": {"elasticity_tensor": "made up", "dielectric_tensor": "made up"},
    "elements": {
        "stiffness": {str(z): 9 for z in ALL_ELEMENTS if z != 17},
        "electronic": {str(z): 9 for z in ALL_ELEMENTS if z != 43},
        "dielectric": {str(z): 9 for z in ALL_ELEMENTS if z != 43},
    },
    "members": [{"fold": 0, "seed": 0}],
}


def tiny_network(seed: int = 0, noise: float = 0.1, **architecture) -> TensorNetwork:
    """Network in evaluation mode; `noise` shakes all parameters, so that those of the classes,
    which start at zero, differ from class to class."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TensorNetwork(Architecture(**{**SMALL, "reference": REFERENCE, **architecture}))
        for parameter in network.parameters():
            parameter.data += noise * torch.randn_like(parameter)
    return network.eval().requires_grad_(False)
