"""What a calculator says of a crystal: relaxed with it, and how it responds then."""

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ..crystal.symmetry import DEFAULT_SYMPREC
from ..errors import EqTensorError, PartnerError
from ..tensors.notation import voigt_to_mandel
from .relaxation import relax
from .response import response
from .symmetric import symmetric_crystal

SOFTEST = 0.05  # GPa, an eigenvalue that the rounding of entries to 0.01 GPa leaves positive
LARGEST = 64  # atoms in the primitive cell; without symmetry these take half an hour
SAME_CRYSTAL = 0.15  # change of the volume in relaxation, beyond which it is another crystal


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a calculator says of a crystal of P atoms in the primitive cell.

    atoms: the relaxed primitive crystal, in the frame of the given one.
    volume_ratio: its volume over that of the given one.
    converged: whether the relaxation came to an end.
    stiffness_gpa: (6, 6) with relaxed ions, GPa, Voigt order xx yy zz yz xz xy, in the same frame.
    least_force_constant: eV/Å^2, lowest curvature among the displacements that strains cause; None
        if there are none.
    force_constants: (3 P, 3 P), eV/Å^2, of all displacements at Gamma; None if not asked for.
    evaluations: structures that the calculator was asked for. seconds: of one process.
    """

    atoms: Atoms
    volume_ratio: float
    converged: bool
    stiffness_gpa: np.ndarray
    least_force_constant: float | None
    force_constants: np.ndarray | None = None
    evaluations: int = 0
    seconds: float = 0.0

    @property
    def least_eigenvalue_gpa(self) -> float:
        """Of the stiffness in Mandel form; not positive where a strain costs no energy."""
        return float(np.linalg.eigvalsh(voigt_to_mandel(self.stiffness_gpa))[0])

    @cached_property
    def modes(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (3 P - 3,), in eV/Å^2 and ascending, and eigenvectors (3 P, 3 P - 3) of the
        force constants among displacements that leave the centre of the atoms in its place.

        Raises ValueError where force constants were not asked for.
        """
        if self.force_constants is None:
            raise ValueError(f"{self.atoms.symbols}: force constants were not asked for")
        translations = np.tile(np.eye(3), (len(self.atoms), 1))
        free = np.linalg.qr(translations, mode="complete")[0][:, 3:]
        values, modes = np.linalg.eigh(free.T @ self.force_constants @ free)
        return values, free @ modes

    @property
    def doubt(self) -> str:
        """Why it says nothing about the given crystal; "" if it does."""
        if not self.converged:
            return "the relaxation did not converge"
        if abs(np.log(self.volume_ratio)) > SAME_CRYSTAL:
            return (
                f"in relaxation the volume became {self.volume_ratio:.2f} times the given one, so "
                "that it is another crystal"
            )
        return ""

    @property
    def instability(self) -> str:
        """Why the stiffness is not that of a crystal that resists every strain; "" if it is."""
        least = self.least_force_constant
        if least is not None and least <= 0:
            return f"unstable under displacements of its ions ({least:.2f} eV/Å^2)"
        if (least := self.least_eigenvalue_gpa) <= SOFTEST:
            return f"unstable under strain ({least:.1f} GPa)"
        return ""


def ask(
    atoms: Atoms,
    calculator: BaseCalculator,
    symprec: float = DEFAULT_SYMPREC,
    force_constants: bool = False,
) -> Opinion:
    """What a calculator says of a crystal.

    Args:
        symprec: tolerance in Å of the symmetry that it keeps in relaxation.
        force_constants: whether those of all displacements are wanted.

    Raises PartnerError, whatever goes wrong, and for primitive cells of more than `LARGEST` atoms.
    """
    begun = time.process_time()
    try:
        given = symmetric_crystal(atoms, symprec)
        if len(given.atoms) > LARGEST:
            raise PartnerError(
                f"a primitive cell of {len(given.atoms)} atoms would take too long: at most "
                f"{LARGEST} are asked about"
            )
        relaxed = relax(given, calculator)
        answer = response(relaxed.crystal, calculator, force_constants)
    except EqTensorError as error:
        raise PartnerError(str(error)) from error
    except Exception as error:  # calculators raise whatever a crystal leads them to
        raise PartnerError(f"{type(error).__name__}: {error}") from error
    ratio = relaxed.crystal.atoms.get_volume() / given.atoms.get_volume()
    return Opinion(
        relaxed.crystal.atoms,
        float(ratio),
        relaxed.converged,
        answer.relaxed,
        answer.least_force_constant,
        answer.force_constants,
        relaxed.evaluations + answer.evaluations,
        time.process_time() - begun,
    )
