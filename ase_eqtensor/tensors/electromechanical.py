"""The linear electromechanical response of a crystal: what follows from its three tensors together.

With strain x (engineering shear), stress X, field E and displacement D, and the tensors c (at
constant field), e and eps (at constant strain),

    X = c x - e^T E,    D = e x + eps_0 eps E.

The other forms of the equations and their constants d, g, h are those of IEEE Standard 176-1987
(chapter 2) and of J. F. Nye, Physical Properties of Crystals (Oxford, 1985), ch. X.

Units are ASE's: eV, Å and V, charges in e. Voigt order xx yy zz yz xz xy, in one Cartesian frame.
Arrays may have leading batch axes.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import units

EPS_0 = units._eps0 / units._e * 1e-10  # e/(V Å)
PM_PER_V = 100.0  # of 1 Å/V = 1 e Å/eV; also pC/N
C_PER_M2 = units._e * 1e20  # of 1 e/Å^2


@dataclass(frozen=True, eq=False)
class Electromechanical:
    """The response matrix of crystals.

    stiffness: c^E (..., 6, 6) at constant field, eV/Å^3.
    piezoelectric: e (..., 3, 6), e/Å^2, no factors.
    permittivity: eps^S (..., 3, 3) at constant strain, with relaxed ions, relative.
    """

    stiffness: np.ndarray
    piezoelectric: np.ndarray
    permittivity: np.ndarray

    @cached_property
    def compliance(self) -> np.ndarray:
        """s^E (..., 6, 6) at constant field, Å^3/eV, engineering shear."""
        return np.linalg.inv(self.stiffness)

    @cached_property
    def d(self) -> np.ndarray:
        """Strain by field at constant stress (..., 3, 6), Å/V, engineering shear: e s^E."""
        return self.piezoelectric @ self.compliance

    @cached_property
    def h(self) -> np.ndarray:
        """Field by strain at constant displacement, less its sign (..., 3, 6), V/Å."""
        return np.linalg.solve(EPS_0 * self.permittivity, self.piezoelectric)

    @cached_property
    def g(self) -> np.ndarray:
        """Field by stress at constant displacement, less its sign (..., 3, 6), Å^2/e, engineering
        shear."""
        return np.linalg.solve(EPS_0 * self.permittivity_at_stress, self.d)

    @cached_property
    def permittivity_at_stress(self) -> np.ndarray:
        """eps^T (..., 3, 3) of a crystal free to deform, relative: eps^S + d e^T / eps_0."""
        return self.permittivity + self.d @ _t(self.piezoelectric) / EPS_0

    @cached_property
    def stiffness_at_displacement(self) -> np.ndarray:
        """c^D (..., 6, 6) without electrodes, eV/Å^3: c^E + e^T h."""
        return self.stiffness + _t(self.piezoelectric) @ self.h

    @cached_property
    def compliance_at_displacement(self) -> np.ndarray:
        """s^D (..., 6, 6) without electrodes, Å^3/eV: s^E - d^T g."""
        return self.compliance - _t(self.d) @ self.g

    @property
    def hydrostatic_d(self) -> np.ndarray:
        """Polarisation by hydrostatic tension (..., 3), Å/V: d_i1 + d_i2 + d_i3."""
        return self.d[..., :3].sum(axis=-1)

    @property
    def stable(self) -> np.ndarray:
        """Whether the energy of every strain and displacement is positive (...): c^E and eps^S are
        positive definite. All other forms of the matrix then are, too."""
        return np.logical_and(_positive(self.stiffness), _positive(self.permittivity))

    @property
    def coupling(self) -> dict[str, np.ndarray]:
        """Coupling factors k (...) of simple modes, 0 to 1, NaN where the crystal is not stable:
        "k33", "k31", "k15" of rods, plates across and shear, d / sqrt(eps^T s^E), and "kt" of the
        thickness of a plate, e33 / sqrt(eps33^S c33^D). Axes are those of the tensors, which
        people expect to be IEEE's."""
        with np.errstate(invalid="ignore", divide="ignore"):
            permittivity = EPS_0 * self.permittivity_at_stress
            rods = {
                f"k{i + 1}{j + 1}": np.abs(self.d[..., i, j])
                / np.sqrt(permittivity[..., i, i] * self.compliance[..., j, j])
                for i, j in ((2, 2), (2, 0), (0, 4))
            }
            thickness = np.abs(self.piezoelectric[..., 2, 2]) / np.sqrt(
                EPS_0 * self.permittivity[..., 2, 2] * self.stiffness_at_displacement[..., 2, 2]
            )
        return rods | {"kt": thickness}

    @property
    def greatest_coupling(self) -> np.ndarray:
        """The greatest static coupling factor (...) over all stresses and fields together: the
        root of the greatest eigenvalue of (eps^T)^-1/2 d c^E d^T (eps^T)^-1/2 / eps_0. The square
        is the greatest share of the work of a field that becomes mechanical."""
        stored = self.permittivity_at_stress - self.permittivity
        root = np.linalg.inv(np.linalg.cholesky(self.permittivity_at_stress))
        return np.sqrt(np.linalg.eigvalsh(root @ stored @ _t(root))[..., -1].clip(0))


def _t(matrix: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrix, -1, -2)


def _positive(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(matrix)[..., 0] > 0
