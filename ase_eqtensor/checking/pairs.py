"""What two permittivities of one crystal say of each other."""

from dataclasses import replace

import numpy as np
from ase import Atoms

from ..crystal.symmetry import analyse
from ..quantities.permittivity import ELECTRONIC, EPS_NOISE, TOTAL
from .readings import IONS
from .verdict import DOUBTFUL, WRONG, Verdict

ROUNDING = 0.02  # of the norm, by which a permittivity may be less than its electronic part


def with_pairs(found: dict[str, Verdict], atoms: Atoms, symprec: float) -> dict[str, Verdict]:
    """The verdicts, changed where eps_inf and the total permittivity of a crystal contradict each
    other: the ionic part is positive semidefinite, and not nothing where ions have a dipole, as the
    symmetry within `symprec` (Å) says."""
    if TOTAL.name not in found or ELECTRONIC.name not in found:
        return found
    total, electronic = found[TOTAL.name], found[ELECTRONIC.name]
    ionic = np.linalg.eigvalsh(total.given - electronic.given)
    size = float(np.linalg.norm(total.given))
    if np.abs(ionic).max() < EPS_NOISE * size and analyse(atoms, symprec).polar.any():
        words = ("eps_inf, without the ionic part: both permittivities are the same",)
        changed = replace(total, status=WRONG, causes=(IONS,), explanation=words, repaired=None)
        return found | {TOTAL.name: changed}
    if ionic.min() > -ROUNDING * size:
        return found
    if ionic.max() < ROUNDING * size:
        words = ("eps_inf and the total permittivity exchanged",)
        return found | {
            one.name: replace(
                one, status=WRONG, causes=(IONS,), explanation=words, repaired=other.given
            )
            for one, other in ((total, electronic), (electronic, total))
        }
    words = ("the total permittivity is less than eps_inf along some direction",)
    return found | {
        one.name: replace(one, status=DOUBTFUL, explanation=words)
        for one in (total, electronic)
        if not one.alarm
    }
