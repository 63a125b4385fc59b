"""What physics says of tensors whatever the crystal, asked of a model.

    python -m studies.laws [MODEL ...]

prints for each model how far it obeys: empty space dilutes a layered crystal's tensors, pressure
stiffens (K' = -dlnK/dlnV, measured 4 to 5) and makes an ionic permittivity fall, one foreign atom
among hundreds or noise below the symmetry tolerance's order changes little, a vacancy softens.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated

import numpy as np
import typer
from ase import Atoms
from ase.build import bulk, mx2
from ase.spacegroup import crystal

from ase_eqtensor import EqTensorCalculator
from ase_eqtensor.prediction.prediction import Prediction
from ase_eqtensor.quantities.permittivity import ELECTRONIC, TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.targets.stiffness import G, K

EPS_INF, EPS_TOTAL = (quantity.scalars[0].name for quantity in (ELECTRONIC, TOTAL))
NOISE = 0.012  # Å
CUBIC = {  # at PBE's lattice constants, Å
    "MgO": ("rocksalt", 4.25),
    "Si": ("diamond", 5.47),
    "Cu": ("fcc", 3.63),
    "NaCl": ("rocksalt", 5.69),
    "Al": ("fcc", 4.04),
    "GaAs": ("zincblende", 5.75),
}
METALS = {"Cu", "Al"}  # of which nothing is said about permittivities
GAPS = (8.0, 16.0)  # Å, between the nuclei of neighbouring layers


def cubic(name: str, **options) -> Atoms:
    """One of `CUBIC`, primitive unless told otherwise."""
    structure, a = CUBIC[name]
    return bulk(name, structure, a=a, **options)


def rutile() -> Atoms:
    return crystal(
        ["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
        cellpar=[4.65, 4.65, 2.97, 90, 90, 90],
    )  # fmt: skip


def perovskite() -> Atoms:
    sites = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)]
    return crystal(["Sr", "Ti", "O"], sites, spacegroup=221, cellpar=[3.94] * 3 + [90] * 3)


def layered(name: str, gap: float) -> Atoms:
    """A layer of MoS2, WSe2 or h-BN (BN) with `gap` Å to its images."""
    if name == "BN":
        atoms = Atoms("BN", [(0, 0, 0), (0, 2.51 / 3**0.5, 0)], cell=[2.51, 2.51, 1, 90, 90, 120])
    else:
        a, thickness = {"MoS2": (3.18, 3.13), "WSe2": (3.32, 3.36)}[name]
        atoms = mx2(name, a=a, thickness=thickness)
    atoms.center(vacuum=gap / 2, axis=2)
    atoms.pbc = True
    return atoms


def dilution(calculator: EqTensorCalculator) -> dict[str, float]:
    """Layer -> largest relative change, between the two gaps, of V (eps - 1) of both permittivities
    and of V C, in the plane."""
    out = {}
    for name in ("MoS2", "WSe2", "BN"):
        layers = [layered(name, gap) for gap in GAPS]
        sides = []
        for atoms, entry in zip(layers, calculator.predict(layers)):
            in_plane = [entry.tensors[q.name][0, 0] - 1 for q in (ELECTRONIC, TOTAL)]
            stiffness = entry.tensors[STIFFNESS.name]
            sides.append(atoms.get_volume() * np.array([*in_plane, stiffness[0, 0]]))
        out[name] = float(abs(sides[1] / sides[0] - 1).max())
    return out


def strained(atoms: Atoms, ratio: float) -> Atoms:
    """The crystal with `ratio` times its volume."""
    atoms = atoms.copy()
    atoms.set_cell(atoms.cell * ratio ** (1 / 3), scale_atoms=True)
    return atoms


def pressure(calculator: EqTensorCalculator, name: str, change: float = 0.05) -> dict[str, float]:
    """K' = -dlnK/dlnV of one of `CUBIC`, and -d eps_total / dlnV, which is negative in crystals
    whose permittivity falls under pressure."""
    ratios = (1 - change, 1 + change)
    pair = calculator.predict([strained(cubic(name), ratio) for ratio in ratios])
    width = np.log(ratios[1] / ratios[0])
    k, eps = ([entry.scalars[key] for entry in pair] for key in (K, EPS_TOTAL))
    return {"K'": float(-np.log(k[1] / k[0]) / width), "eps": float((eps[0] - eps[1]) / width)}


def largest_change(name: str, one: Prediction, other: Prediction) -> float:
    """The largest |T' - T| / |T| of the tensors of a crystal that are no inverse of another."""
    compared = [STIFFNESS] if name in METALS else [STIFFNESS, ELECTRONIC, TOTAL]
    pairs = [(one.tensors[q.name], other.tensors[q.name]) for q in compared]
    return max(float(np.linalg.norm(b - a) / np.linalg.norm(a)) for a, b in pairs)


def impurity(calculator: EqTensorCalculator) -> dict[str, float]:
    """Host:guest -> largest relative change of a modulus or permittivity, one guest in 216."""
    guests = {"Si": "P", "MgO": "Ca", "Cu": "Ag", "NaCl": "K", "GaAs": "In"}
    out = {}
    for name, guest in guests.items():
        host = cubic(name)
        host = host.repeat(6) if len(host) == 1 else host.repeat((3, 6, 6))
        doped = host.copy()
        doped.symbols[0] = guest
        before, after = calculator.predict([host, doped])
        keys = [K, G]
        keys += [] if name in METALS else [EPS_INF, EPS_TOTAL]
        out[f"{name}:{guest}"] = max(
            abs(after.scalars[key] / before.scalars[key] - 1) for key in keys
        )
    return out


def noise(calculator: EqTensorCalculator, seeds: Iterable[int] = range(3)) -> dict[str, float]:
    """Crystal -> largest relative change of a tensor by displacements of `NOISE` Å."""
    crystals = {name: cubic(name, cubic=True) for name in CUBIC}
    crystals |= {"rutile": rutile(), "SrTiO3": perovskite()}
    out = {}
    for name, atoms in crystals.items():
        noisy = [atoms.copy() for _ in seeds]
        for copy, seed in zip(noisy, seeds):
            copy.rattle(NOISE, seed=seed)
        ideal, *others = calculator.predict([atoms, *noisy])
        out[name] = max(largest_change(name, ideal, other) for other in others)
    return out


def vacancy(calculator: EqTensorCalculator) -> dict[str, float]:
    """Host:missing atom -> relative change of K when one atom of about 64 is taken out."""
    out = {}
    for name in ("MgO", "Si", "Cu", "NaCl"):
        host = cubic(name, cubic=True)
        host = host.repeat((3, 3, 2) if len(host) == 4 else 2)
        for symbol in dict.fromkeys(host.get_chemical_symbols()):
            broken = host.copy()
            del broken[broken.get_chemical_symbols().index(symbol)]
            before, after = calculator.predict([host, broken])
            out[f"{name}:{symbol}"] = after.scalars[K] / before.scalars[K] - 1
    return out


def describe(calculator: EqTensorCalculator) -> str:
    """All laws as text."""
    response = {name: pressure(calculator, name) for name in CUBIC}
    lines = {
        "gap of 8 to 16 Å, V (eps - 1) and V C change by": dilution(calculator),
        "K' = -dlnK/dlnV": {name: entry["K'"] for name, entry in response.items()},
        "NaCl, -d eps_total / dlnV": {"NaCl": response["NaCl"]["eps"]},
        "one foreign atom in 216, largest change": impurity(calculator),
        f"noise of {NOISE} Å, largest change": noise(calculator),
        "K, one atom taken out": vacancy(calculator),
    }
    return "\n".join(f"{law}: {_listed(values)}" for law, values in lines.items())


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())


def main(
    models: Annotated[list[str] | None, typer.Argument(help="Names or files of models.")] = None,
) -> None:
    """Ask models what physics dictates."""
    for model in models or [None]:
        calculator = EqTensorCalculator(model, allow_untrained_elements=True)
        print(f"{model or 'default model'}\n{describe(calculator)}\n")


if __name__ == "__main__":
    typer.run(main)
