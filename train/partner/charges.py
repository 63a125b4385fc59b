"""Charges, learnt from the ionic parts of permittivities and a potential's force constants."""

from collections.abc import Sequence

import numpy as np
import torch

from ase_eqtensor.models.charges import COULOMB, FLOOR, BornCharges, Neighbourhoods, padded
from ase_eqtensor.potential.opinion import Opinion

EPOCHS, RATE, DECAY = 500, 1e-2, 1e-2
MEMBERS = 3
SMALL = 0.3  # of a third of the trace: smaller ionic parts are alike
ROUND = 0.05  # of its logarithm: smaller errors count with their square, larger ones linearly


def learn(opinions: Sequence[Opinion], ionic: np.ndarray, seed: int = 0) -> BornCharges:
    """The charges that make a third of the trace (n,) of ionic parts of n crystals' force
    constants; torch's generator is left as it was."""
    crystals = [opinion.atoms for opinion in opinions]
    known = Neighbourhoods.of(crystals)
    polarisable = padded([_polarisability(opinion) for opinion in opinions], axes=2)
    wanted = torch.from_numpy(np.log(np.maximum(ionic, 0) + SMALL)).float()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        network = BornCharges(MEMBERS).train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS)
        for _ in range(EPOCHS):
            charges = network(known).flatten(2, 3)  # (M, B, 3 N, 3)
            trace = torch.einsum("mbia,bij,mbja->mb", charges, polarisable, charges) / 3
            error = (trace + SMALL).log() - wanted
            loss = (error.square() + ROUND**2).sqrt().mean(1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def _polarisability(opinion: Opinion) -> np.ndarray:
    """Permittivity per charges squared, (3 P, 3 P)."""
    values, modes = opinion.modes
    return COULOMB / opinion.atoms.get_volume() * (modes / np.maximum(values, FLOOR)) @ modes.T
