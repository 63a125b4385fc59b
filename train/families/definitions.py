"""Families of crystals that are left out of training altogether: chemistry that a model has never
seen."""

from collections.abc import Callable

from ase import Atoms
from ase.geometry.dimensionality import analyze_dimensionality

from ase_eqtensor.crystal.chemistry import HALOGENS, METALS, OXYGEN, chemical_class
from ase_eqtensor.train.data.sources import LABELS_ALONE
from ase_eqtensor.train.fitting.fit import TrainingSamples
from ase_eqtensor.train.fitting.samples import Sample
from ase_eqtensor.train.targets import DATASETS

METALS_3D = range(21, 31)
LANTHANOIDS, ACTINOIDS = range(57, 72), range(89, 104)


def _has(*numbers: int) -> Callable[[Atoms], bool]:
    return lambda atoms: not set(numbers).isdisjoint(atoms.numbers)


def _layered(atoms: Atoms) -> bool:
    try:
        likeliest, *_ = analyze_dimensionality(atoms, method="RDA")
    except TypeError:  # of ASE, where no bond that it tries is long enough, as in solid neon
        return False
    return likeliest.dimtype == "2D"


_OXIDE, _HALIDE = _has(*OXYGEN), _has(*HALOGENS)
FAMILIES: dict[str, Callable[[Atoms], bool]] = {
    "halides": _HALIDE,
    "oxides of 3d metals": lambda atoms: _OXIDE(atoms) and _has(*METALS_3D)(atoms),
    "hydrides": _has(1),
    "layered crystals": _layered,
    "carbides and nitrides": lambda atoms: (
        _has(6, 7)(atoms) and not (_OXIDE(atoms) or _HALIDE(atoms) or _has(1)(atoms))
    ),
    "intermetallics of f elements": lambda atoms: (
        chemical_class(atoms.numbers) == METALS and _has(*LANTHANOIDS, *ACTINOIDS)(atoms)
    ),
    "aluminium": _has(13),
    "lithium": _has(3),
    "selenium": _has(34),
    "oxygen": _OXIDE,
}


def without(samples: list[Sample], family: str) -> tuple[TrainingSamples, list[Sample]]:
    """What a run trains on and is validated on, and the family's crystals.

    No composition of the family is trained on, in whatever structure; rows that follow from others
    are not scored. What a potential alone says of other compositions stays: it can be asked about
    any new chemistry.
    """
    belongs = {id(s): FAMILIES[family](s.record.atoms) for s in samples}
    own = [s for s in samples if belongs[id(s)] and not DATASETS[s.record.dataset].derived]
    formulas = {s.record.reduced_formula for s in own}
    rest = [
        s
        for s in samples
        if (s.record.source == LABELS_ALONE or not belongs[id(s)])
        and s.record.reduced_formula not in formulas
        and not s.record.quarantine
    ]
    train, val = ([s for s in rest if s.record.in_val == part] for part in (False, True))
    return TrainingSamples(train, val), [s for s in own if not s.record.quarantine]
