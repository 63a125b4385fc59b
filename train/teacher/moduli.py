"""K and G of labels, and how K answers to the volume."""

from collections.abc import Sequence

import numpy as np
import torch

from ase_eqtensor.tensors.moduli import hill_average
from ase_eqtensor.tensors.notation import voigt_to_mandel
from ase_eqtensor.train.teacher.labels import Label


def mandel(labels: Sequence[Label]) -> np.ndarray:
    """Stiffnesses (n, 6, 6) of labels in GPa, Mandel form."""
    return voigt_to_mandel(np.array([label.stiffness_gpa for label in labels]))


def moduli(labels: Sequence[Label]) -> np.ndarray:
    """K and G (n, 2) of labels in GPa (Voigt-Reuss-Hill)."""
    return torch.stack(hill_average(torch.from_numpy(mandel(labels))), dim=1).numpy()


def stiffening(copies: Sequence[Label], relaxed: Sequence[Label]) -> np.ndarray:
    """K' = -dlnK/dlnV (n,) between strained copies and the relaxed crystals that they are of."""
    ratios = np.array([copy.volume_ratio for copy in copies])
    return -np.log(moduli(copies)[:, 0] / moduli(relaxed)[:, 0]) / np.log(ratios)
