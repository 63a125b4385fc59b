"""What follows from tensors of a crystal: mechanics by pymatgen, sound, light, electromechanics.

pymatgen is imported by the functions that need it: a prediction starts without.
"""

import numpy as np
from ase import Atoms

from .crystal.symmetry import analyse
from .models.uncertainty import Interval, of_product
from .prediction.prediction import Prediction
from .quantities import Density, scalars
from .quantities.permittivity import refractive_indices
from .quantities.piezoelectric import LONGITUDINAL, PIEZOELECTRIC
from .quantities.stiffness import COMPLIANCE, STIFFNESS, Moduli
from .tensors import acoustics
from .tensors.acoustics import Waves
from .tensors.directional import greatest_strain_by_field
from .tensors.electromechanical import PM_PER_V, Electromechanical
from .tensors.notation import GPA
from .tensors.optics import Optics, wave_indices

__all__ = [
    "Electromechanical",
    "Optics",
    "Waves",
    "elastic_summary",
    "elastic_tensor",
    "greatest_d",
    "ieee_rotation",
    "refractive_indices",
    "sound_waves",
    "to_ieee",
    "wave_indices",
]


UNEQUAL = 1e-10  # relative difference that makes lengths unequal, and is no strain


def elastic_tensor(stiffness: np.ndarray):
    """pymatgen's ElasticTensor, C_ijkl (3, 3, 3, 3) in GPa, in the same Cartesian frame.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy, as `elasticity_tensor` is.
    """
    from pymatgen.core.elasticity import ElasticTensor

    return ElasticTensor.from_voigt(np.asarray(stiffness) / GPA)


def elastic_summary(stiffness: np.ndarray, atoms: Atoms) -> dict[str, float]:
    """Scalars of a stiffness, with the Voigt and Reuss bounds and models of other properties.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy.
        atoms: the crystal, for its density and its axes, in the frame of the stiffness.

    Returns:
        The scalars of the stiffness, see `ase_eqtensor.quantities.scalars`: k_vrh_gpa, g_vrh_gpa,
        young_gpa, poisson, anisotropy, debye_k, least_eigenvalue_gpa; and

        - k_voigt_gpa, k_reuss_gpa, g_voigt_gpa, g_reuss_gpa: the bounds (GPa) between which K and G
          of a polycrystal lie;
        - pugh: K/G, above 1.75 of ductile metals (S. F. Pugh, Phil. Mag. 45, 823 (1954));
        - zener, cauchy_pressure_gpa: 2 C44 / (C11 - C12) and C12 - C44 of a cubic crystal, NaN of
          any other;
        - longitudinal_km_per_s, transverse_km_per_s: velocities of sound in the polycrystal;
        - hardness_gpa: Vickers, 2 (G^3/K^2)^0.585 - 3 (X.-Q. Chen et al., Intermetallics 19, 1275
          (2011)); below about 5 GPa the model says nothing, below 0 it is NaN;
        - clarke_w_per_mk, cahill_w_per_mk: least lattice thermal conductivity at high temperature,
          by pymatgen's models of D. R. Clarke and of D. G. Cahill.

        What needs a stable crystal is NaN for one that is not.
    """
    elastic, structure = elastic_tensor(stiffness), structure_of(atoms)
    found = scalars({STIFFNESS.name: stiffness}, atoms)
    for modulus in "kg":
        for average in ("voigt", "reuss"):
            name = f"{modulus}_{average}"
            found[f"{name}_gpa"] = float(getattr(elastic, name))
    cubic = analyse(atoms).crystal_system == "cubic"
    c = to_ieee(stiffness, atoms) / GPA if cubic else np.full((6, 6), np.nan)
    moduli = Moduli(STIFFNESS.from_ase(stiffness)[None])
    k, g = moduli.k[0], moduli.g[0]
    models = {
        "pugh": lambda: k / g,
        "zener": lambda: 2 * c[3, 3] / (c[0, 0] - c[0, 1]),
        "cauchy_pressure_gpa": lambda: c[0, 1] - c[3, 3],
        "longitudinal_km_per_s": lambda: elastic.long_v(structure) / 1e3,
        "transverse_km_per_s": lambda: elastic.trans_v(structure) / 1e3,
        "hardness_gpa": lambda: _hardness(k, g),
        "clarke_w_per_mk": lambda: elastic.clarke_thermalcond(structure),
        "cahill_w_per_mk": lambda: elastic.cahill_thermalcond(structure),
    }
    stable = moduli.least_eigenvalue[0] > 0
    return found | {name: float(of()) if stable else np.nan for name, of in models.items()}


def _hardness(k: float, g: float) -> float:
    hardness = 2 * (g**3 / k**2) ** 0.585 - 3
    return hardness if hardness > 0 else np.nan


def sound_waves(
    stiffness: np.ndarray,
    atoms: Atoms,
    directions: np.ndarray,
    piezoelectric: np.ndarray | None = None,
    permittivity: np.ndarray | None = None,
) -> Waves:
    """Velocities, polarisations and energy flow of sound along directions, see `Waves`.

    Args:
        stiffness: (6, 6) in eV/Å^3, Voigt order xx yy zz yz xz xy.
        atoms: the crystal, for its density.
        directions: (N, 3) Cartesian vectors of any length but zero, in the frame of the tensors.
        piezoelectric, permittivity: e (3, 6) in e/Å^2 and the relative total permittivity (3, 3) at
            constant strain, for the stiffening of a piezoelectric insulator; both or neither.

    Raises ValueError for a direction without length, or for one of the last two alone.
    """
    density = Density.of([atoms]).mass[0]
    return acoustics.waves(stiffness, density, directions, piezoelectric, permittivity)


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

    structure = structure_of(atoms)
    try:
        return np.array(Tensor.get_ieee_rotation(structure))
    except ValueError:  # it sorts axes with their lengths, and cannot if two are exactly equal
        structure.lattice = structure.lattice.matrix * (1 + UNEQUAL * np.arange(3))[:, None]
        return np.array(Tensor.get_ieee_rotation(structure))


def structure_of(atoms: Atoms):
    """pymatgen's structure of a crystal, in the same frame; its periodic directions are all."""
    from pymatgen.io.ase import AseAtomsAdaptor

    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    return AseAtomsAdaptor.get_structure(bare)


def greatest_d(prediction: Prediction) -> Interval:
    """Greatest strain along a field at constant stress, d_ijk n_i n_j n_k with d = e S over all
    directions n (Nye, ch. VII): d33 of a crystal that is poled along that direction.

    Args:
        prediction: of a crystal, with its piezoelectric tensor and its compliance.

    Returns:
        pm/V (also pC/N), and (low, high) for each level: the bounds of the greatest longitudinal e
        and the error of the compliance in quadrature (docs/piezoelectric.md says how well they
        hold); no bounds of a model that was never calibrated.

    Raises the reason (an `EqTensorError`) if one of the tensors could not be predicted.
    """
    e, compliance = prediction[PIEZOELECTRIC.name], prediction[COMPLIANCE.name]
    value = float(greatest_strain_by_field(e[None], compliance[None])[0]) * PM_PER_V
    known = prediction.uncertainty
    if PIEZOELECTRIC.name not in known or COMPLIANCE.name not in known:
        return Interval(value, {})
    of_e = known[PIEZOELECTRIC.name].scalars[LONGITUDINAL]
    if not value:
        return Interval(0.0, of_e.bounds)  # forbidden by symmetry
    bounds = {}
    for level, ends in of_e.bounds.items():
        below, above = np.log(np.array(ends) / of_e.value)
        low, high = of_product(below, above, known[COMPLIANCE.name].relative_error[level])
        bounds[level] = (value * float(np.exp(low)), value * float(np.exp(high)))
    return Interval(value, bounds)
