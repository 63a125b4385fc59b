"""Hand-over of tensors to pymatgen, and what it makes of them.

pymatgen is imported by the functions that need it: a prediction starts without.
"""

import numpy as np
from ase import Atoms

from .quantities import scalars
from .quantities.permittivity import refractive_indices
from .quantities.stiffness import STIFFNESS
from .tensors.notation import GPA

__all__ = ["elastic_summary", "elastic_tensor", "ieee_rotation", "refractive_indices", "to_ieee"]


def elastic_tensor(stiffness: np.ndarray):
    """pymatgen's ElasticTensor, C_ijkl (3, 3, 3, 3) in GPa, in the same Cartesian frame.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy, as `elasticity_tensor` is.
    """
    from pymatgen.core.elasticity import ElasticTensor

    return ElasticTensor.from_voigt(np.asarray(stiffness) / GPA)


def elastic_summary(stiffness: np.ndarray, atoms: Atoms) -> dict[str, float]:
    """Scalars of a stiffness, with the Voigt and Reuss bounds.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy.
        atoms: the crystal, for its density; the orientation does not matter.

    Returns:
        The scalars of the stiffness, see `ase_eqtensor.quantities.scalars`: k_vrh_gpa, g_vrh_gpa,
        young_gpa, poisson, anisotropy, debye_k, least_eigenvalue_gpa; and k_voigt_gpa, k_reuss_gpa,
        g_voigt_gpa, g_reuss_gpa, the bounds (GPa) between which K and G of a polycrystal lie.
    """
    elastic = elastic_tensor(stiffness)
    bounds = {
        f"{modulus}_{average}_gpa": float(getattr(elastic, f"{modulus}_{average}"))
        for modulus in "kg"
        for average in ("voigt", "reuss")
    }
    return scalars({STIFFNESS.name: stiffness}, atoms) | bounds


def to_ieee(stiffness: np.ndarray, atoms: Atoms) -> np.ndarray:
    """The stiffness (6, 6) in IEEE axes, see `ieee_rotation`.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy, in the Cartesian frame of
            `atoms`.
        atoms: the crystal.

    Returns:
        (6, 6) in eV/Å^3, Voigt order, x y z being the IEEE axes.
    """
    return STIFFNESS.rotate(np.asarray(stiffness), ieee_rotation(atoms))


def ieee_rotation(atoms: Atoms) -> np.ndarray:
    """Orthogonal matrix (3, 3) that takes the Cartesian frame of a crystal to its IEEE axes, by
    pymatgen's reading of IEEE Standard 176-1987."""
    from pymatgen.core.tensors import Tensor

    return np.array(Tensor.get_ieee_rotation(_structure(atoms)))


def _structure(atoms: Atoms):
    from pymatgen.io.ase import AseAtomsAdaptor

    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    return AseAtomsAdaptor.get_structure(bare)
