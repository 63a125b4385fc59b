"""Measured constants of three crystals in IEEE axes."""

from typing import NamedTuple

import numpy as np
from ase import units

from ase_eqtensor.quantities.piezoelectric import PIEZOELECTRIC
from ase_eqtensor.tensors.electromechanical import C_PER_M2
from ase_eqtensor.tensors.notation import GPA, rotate_stiffness


class Measured(NamedTuple):
    """stiffness c^E (6, 6), eV/Å^3; piezoelectric e (3, 6), e/Å^2; permittivity eps^S (3, 3),
    relative; density, amu/Å^3."""

    stiffness: np.ndarray
    piezoelectric: np.ndarray
    permittivity: np.ndarray
    density: float

    def turned(self, q: np.ndarray) -> "Measured":
        """The crystal rotated by the orthogonal Q (3, 3)."""
        return Measured(
            rotate_stiffness(self.stiffness, q),
            PIEZOELECTRIC.rotate(self.piezoelectric, q),
            q @ self.permittivity @ q.T,
            self.density,
        )


def measured(
    c: dict[str, float], e: dict[str, float], eps: tuple[float, float], kg_per_m3: float
) -> Measured:
    """From entries by their Voigt indices in GPa and C/m^2, and eps11 and eps33."""
    stiffness, piezoelectric = np.zeros((6, 6)), np.zeros((3, 6))
    for (i, j), value in ((map(int, pair), value) for pair, value in c.items()):
        stiffness[i - 1, j - 1] = stiffness[j - 1, i - 1] = value
    for (i, j), value in ((map(int, pair), value) for pair, value in e.items()):
        piezoelectric[i - 1, j - 1] = value
    density = kg_per_m3 * 1e-30 / units._amu
    permittivity = np.diag([eps[0], eps[0], eps[1]])
    return Measured(stiffness * GPA, piezoelectric / C_PER_M2, permittivity, density)


def trigonal(c11, c12, c13, c14, c33, c44) -> dict[str, float]:
    return {
        "11": c11, "22": c11, "33": c33, "12": c12, "13": c13, "23": c13, "14": c14, "24": -c14,
        "56": c14, "44": c44, "55": c44, "66": (c11 - c12) / 2,
    }  # fmt: skip


# H. J. McSkimin, P. Andreatch, J. Appl. Phys. 35, 2161 (1964)
SILICON = measured(
    dict.fromkeys(("11", "22", "33"), 165.7)
    | dict.fromkeys(("12", "13", "23"), 63.9)
    | dict.fromkeys(("44", "55", "66"), 79.6),
    {},
    (11.7, 11.7),
    2330,
)
# right-handed; R. Bechmann, Phys. Rev. 110, 1060 (1958)
QUARTZ = measured(
    trigonal(86.74, 6.99, 11.91, -17.91, 107.2, 57.94),
    {"11": 0.171, "12": -0.171, "26": -0.171, "14": -0.0406, "25": 0.0406},
    (4.428, 4.634),
    2649,
)
# A. W. Warner, M. Onoe, G. A. Coquin, J. Acoust. Soc. Am. 42, 1223 (1967)
LITHIUM_NIOBATE = measured(
    trigonal(203, 53, 75, 9, 245, 60),
    {"15": 3.7, "24": 3.7, "22": 2.5, "21": -2.5, "16": -2.5, "31": 0.2, "32": 0.2, "33": 1.3},
    (44, 29),
    4700,
)
