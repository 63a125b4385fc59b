"""Fits of how a network's tensors and a potential's make better ones, and what they make of
crystals that had no part in the fit."""

import numpy as np

from ase_eqtensor.models.charges import FLOOR, BornCharges
from ase_eqtensor.models.features import CONSTANT
from ase_eqtensor.models.mixture import (
    IONIC_GAP,
    SMALL,
    SOFT_GAP,
    SOFTNESS,
    IonicMixture,
    StiffnessMixture,
    gaps,
    ionic_gaps,
    ionic_size,
    log_moduli,
)
from ase_eqtensor.models.partnership import (
    Combined,
    Partnership,
    ionic_part_of,
    ionic_parts,
    stiffnesses,
)
from ase_eqtensor.quantities.permittivity import ELECTRONIC_NAME, TOTAL_NAME
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.tensors.notation import GPA
from ase_eqtensor.train.partner.cases import Cases
from ase_eqtensor.train.partner.charges import learn
from ase_eqtensor.train.partner.stiffness import fit_mixing, fit_moduli
from ase_eqtensor.train.scoring.least_squares import robust_ridge
from ase_eqtensor.train.scoring.outputs import common_columns
from ase_eqtensor.train.targets.stiffness import G, K

FEWEST = 100  # crystals, of which a mixture is made
WITHOUT_TENSOR = 0.5  # weight of a crystal of which K and G alone are known
RIDGE = 0.01  # of the sum of weights, on standardised features
IONIC_COLUMNS = (CONSTANT, IONIC_GAP, SOFTNESS, SOFT_GAP)


def partnership(cases: Cases) -> Partnership:
    """How the network and the potential of some crystals are combined."""
    charges = _charges(cases)
    ionic = None if charges is None else _ionic(cases, charges)
    return Partnership(_stiffness(cases), ionic, charges)


def crossed(cases: Cases) -> Combined:
    """What becomes of crystals, each fold by the fit of the others."""
    parts, places = [], []
    for fold in np.unique(cases.folds):
        held = cases.rows(cases.folds == fold)
        made = partnership(cases.rows(cases.folds != fold))
        parts.append(made.combine(held.tensors, held.features, held.said))
        places.append(np.flatnonzero(cases.folds == fold))
    order = np.argsort(np.concatenate(places))
    return Combined(
        {n: x[order] for n, x in common_columns([part.tensors for part in parts]).items()},
        {n: x[order] for n, x in common_columns([part.features for part in parts]).items()},
        [[reasons for part in parts for reasons in part.alone][i] for i in order],
    )


def _stiffness(cases: Cases) -> StiffnessMixture | None:
    known = cases.rows(np.array([K in record.targets for record in cases.records]))
    _, rows, potential, unstable = stiffnesses(known.said, known.tensors[STIFFNESS.name])
    known = known.rows(rows)
    whole = np.array([STIFFNESS.name in record.targets for record in known.records])
    if whole.sum() < FEWEST:
        return None
    network = known.tensors[STIFFNESS.name]
    features = known.features | unstable
    features |= gaps(network, potential, features)
    moduli = np.array([[record.targets[K], record.targets[G]] for record in known.records])
    missing = np.log(moduli * GPA) - log_moduli(network)
    bulk, shear = fit_moduli(features, missing, np.where(whole, 1.0, WITHOUT_TENSOR))
    true = np.array(
        [
            STIFFNESS.from_ase(np.asarray(record.targets[STIFFNESS.name]))
            for record in known.rows(whole).records
        ]
    )
    first = {name: values[whole] for name, values in features.items()}
    mixing = fit_mixing(first, network[whole], potential[whole], true)
    return StiffnessMixture(bulk=bulk, shear=shear, mixing=mixing)


def _polar(cases: Cases) -> tuple[Cases, np.ndarray]:
    """The crystals with both permittivities and force constants that are not in doubt, and a third
    of the trace (n,) of their true ionic part."""
    names = {ELECTRONIC_NAME, TOTAL_NAME}
    there = [
        names <= record.targets.keys()
        and not isinstance(opinion, str)
        and not opinion.doubt
        and opinion.force_constants is not None
        for record, opinion in zip(cases.records, cases.said)
    ]
    known = cases.rows(np.array(there, dtype=bool))
    targets = [record.targets for record in known.records]
    total, electronic = (
        np.array([t[name] for t in targets]) for name in (TOTAL_NAME, ELECTRONIC_NAME)
    )
    return known, ionic_size(total.reshape(-1, 3, 3), electronic.reshape(-1, 3, 3))


def _charges(cases: Cases) -> BornCharges | None:
    """Charges from the crystals without a soft polar mode. Which modes are polar, charges tell: the
    first ones come from the crystals without any soft mode."""
    known, true = _polar(cases)
    softest = np.array([o.modes[0].min(initial=np.inf) for o in known.opinions])
    charges = None
    for _ in range(2):
        stiff = softest > FLOOR
        if stiff.sum() < FEWEST:
            return None
        charges = learn(known.rows(stiff).opinions, true[stiff])
        softest = np.array([ionic_part_of(o, charges).softest for o in known.opinions])
    return charges


def _ionic(cases: Cases, charges: BornCharges) -> IonicMixture | None:
    known, true = _polar(cases)
    network = ionic_size(known.tensors[TOTAL_NAME], known.tensors[ELECTRONIC_NAME])
    _, rows, size, softest = ionic_parts(known.said, charges, network)
    if len(rows) < FEWEST:
        return None
    features = {CONSTANT: np.ones(len(rows))} | ionic_gaps(network[rows], size, softest)
    design = np.stack([features[name] for name in IONIC_COLUMNS], axis=1)
    missing = np.log(np.maximum(true[rows], 0) + SMALL) - np.log(network[rows] + SMALL)
    found = robust_ridge(design, missing, np.ones(len(rows)), RIDGE)
    return IonicMixture(shift=dict(zip(IONIC_COLUMNS, map(float, found))))
