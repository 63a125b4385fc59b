"""What follows from a predicted tensor, by pymatgen.

pymatgen is imported by the functions that need it: a prediction starts without.
"""

from functools import cache, cached_property

import numpy as np
from ase import Atoms

from .tensors.notation import GPA, voigt_to_mandel


def elastic_tensor(stiffness: np.ndarray):
    """pymatgen's ElasticTensor, C_ijkl (3, 3, 3, 3) in GPa, in the same Cartesian frame.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy, as `elasticity_tensor` is.
    """
    return _elastic_class().from_voigt(np.asarray(stiffness) / GPA)


def elastic_summary(stiffness: np.ndarray, atoms: Atoms) -> dict[str, float]:
    """Scalars of a stiffness, as pymatgen has them.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy.
        atoms: the crystal, for its density; the orientation does not matter.

    Returns:
        k_voigt_gpa, k_reuss_gpa, k_vrh_gpa: bulk modulus in GPa, the Voigt and Reuss bounds and
            Hill's mean.
        g_voigt_gpa, g_reuss_gpa, g_vrh_gpa: shear modulus likewise.
        young_gpa, poisson: of the polycrystal with Hill's K and G.
        universal_anisotropy: 5 G_V/G_R + K_V/K_R - 6, zero for an isotropic crystal.
        debye_k: Debye temperature in K from the sound velocities of that polycrystal; NaN where
            the stiffness is not positive definite.
        least_eigenvalue_gpa: smallest eigenvalue of the stiffness in Mandel form, which no rotation
            changes. The crystal is mechanically stable if it is positive (M. Born).
    """
    elastic = elastic_tensor(stiffness)
    # y_mod and homogeneous_poisson of pymatgen are in Pa and dimensionless
    summary = {
        "k_voigt_gpa": elastic.k_voigt,
        "k_reuss_gpa": elastic.k_reuss,
        "k_vrh_gpa": elastic.k_vrh,
        "g_voigt_gpa": elastic.g_voigt,
        "g_reuss_gpa": elastic.g_reuss,
        "g_vrh_gpa": elastic.g_vrh,
        "young_gpa": elastic.y_mod / 1e9,
        "poisson": elastic.homogeneous_poisson,
        "universal_anisotropy": elastic.universal_anisotropy,
    }
    least = np.linalg.eigvalsh(voigt_to_mandel(elastic.voigt)).min()
    summary["debye_k"] = elastic.debye_temperature(_structure(atoms)) if least > 0 else np.nan
    summary["least_eigenvalue_gpa"] = least
    return {name: float(value) for name, value in summary.items()}


def refractive_indices(permittivity: np.ndarray) -> np.ndarray:
    """Principal refractive indices (3,), ascending: roots of the eigenvalues of eps_inf (3, 3).

    Those of light far below the band gap and above the lattice vibrations, in a crystal that is not
    magnetic.
    """
    return np.sqrt(np.linalg.eigvalsh(permittivity))


def to_ieee(stiffness: np.ndarray, atoms: Atoms) -> np.ndarray:
    """The stiffness (6, 6) in IEEE axes, by pymatgen's reading of IEEE Standard 176-1987.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy, in the Cartesian frame of
            `atoms`. It is averaged over the point group that pymatgen finds, as pymatgen does.
        atoms: the crystal.

    Returns:
        (6, 6) in eV/Å^3, Voigt order, x y z being the IEEE axes.
    """
    return elastic_tensor(stiffness).convert_to_ieee(_structure(atoms)).voigt * GPA


@cache
def _elastic_class() -> type:
    """ElasticTensor, which works everything out anew whenever it is asked, with a memory.

    A summary is ten times faster so, and a report has one for every training crystal.
    """
    from pymatgen.core.elasticity import ElasticTensor

    averages = [f"{modulus}_{of}" for modulus in "kg" for of in ("voigt", "reuss", "vrh")]
    kept = ("voigt", "compliance_tensor", *averages)
    remembered = {name: cached_property(getattr(ElasticTensor, name).fget) for name in kept}
    return type("ElasticTensor", (ElasticTensor,), remembered)


def _structure(atoms: Atoms):
    from pymatgen.io.ase import AseAtomsAdaptor

    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    return AseAtomsAdaptor.get_structure(bare)
