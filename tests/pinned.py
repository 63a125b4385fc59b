"""Predictions of the default model for ten crystals; `python tests/pinned.py` writes them anew.

That is for new weights only: with the same weights, whatever moves these numbers is a defect.
"""

import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import read
from ase.units import GPa
from places import CIFS

from ase_eqtensor import EqTensorCalculator

BOUNDED = (
    "dielectric_tensor",
    "electronic_dielectric_tensor",
    "elasticity_tensor",
    "compliance_tensor",
    "piezoelectric_tensor",
)
FILE = Path(__file__).with_suffix(".json")


def crystals() -> dict[str, Atoms]:
    """Ten crystals of five crystal systems, metals and insulators."""
    built = {
        "MgO": bulk("MgO", "rocksalt", a=4.21),
        "Si": bulk("Si", a=5.43),
        "GaAs": bulk("GaAs", "zincblende", a=5.65),
        "CsCl": bulk("CsCl", "cesiumchloride", a=4.12),
        "Cu": bulk("Cu", a=3.61),
        "Ti": bulk("Ti", "hcp", a=2.95, c=4.68),
    }
    files = {name: read(CIFS / f"{name}.cif") for name in ("CaF2", "CaWO4", "GaN", "TiO2")}
    return built | files


def predicted() -> dict[str, dict]:
    """Eigenvalues of the tensors (stiffness as Voigt matrix in GPa; singular values of e, e/Å^2)
    and bounds of the errors."""
    calculator = EqTensorCalculator(allow_untrained_elements=True)
    out = {}
    for name, entry in zip(crystals(), calculator.predict(list(crystals().values()))):
        tensors = entry.tensors
        stiffness = np.linalg.eigvalsh(tensors["elasticity_tensor"]) / GPa
        out[name] = {"elasticity_tensor": stiffness.tolist()}
        for key in ("electronic_dielectric_tensor", "dielectric_tensor"):
            out[name][key] = np.linalg.eigvalsh(tensors[key]).tolist()
        polar = np.linalg.svd(tensors["piezoelectric_tensor"], compute_uv=False)
        out[name]["piezoelectric_tensor"] = polar.tolist()
        bounds = [entry.uncertainty[key].relative_error[0.9] for key in BOUNDED]
        out[name] |= {"relative_error_90": bounds, "flags": list(entry.flags)}
    return out


if __name__ == "__main__":
    FILE.write_text(json.dumps(predicted(), indent=1) + "\n")
