"""Flags that features raise: crystals that may be unstable, and those with large ionic parts.

Logistic regressions on the features of error estimates. Their rates are those of crystals of which
neither the networks nor the regression had seen the composition.
"""

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ase_eqtensor.crystal.chemistry import CHEMICAL_CLASSES
from ase_eqtensor.errors import SoftModeWarning, UnstableWarning
from ase_eqtensor.models.card import Suspicion
from ase_eqtensor.models.features import CONSTANT, D0_OXIDES
from ase_eqtensor.quantities.permittivity import TOTAL
from ase_eqtensor.quantities.stiffness import STIFFNESS
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.scoring.deviations import partition
from ase_eqtensor.train.scoring.outputs import Predictions
from ase_eqtensor.train.targets import TensorTarget, targets
from ase_eqtensor.train.targets.stiffness import MODULI
from ase_eqtensor.train.teacher.labels import Label

RAISED = 0.1  # share of the crystals with a flag
# Features that raise a flag whatever the others say: the labels of SrTiO3, BaTiO3 or KTaO3 lack
# their soft mode, so that they cannot teach it.
ALWAYS = {SoftModeWarning.flag: {D0_OXIDES: 100.0}}
PARTS = 10  # of the compositions, for the rates
FEWEST = 20  # crystals that deserve a flag, without which it is not fitted
STRENGTH = 0.1  # inverse of the regularisation, as of scikit-learn


def suspicions(
    predictions: Mapping[str, Predictions], labels: Mapping[tuple[str, str], Label]
) -> dict[str, Suspicion]:
    """The entry "suspicions" of a model card.

    Args:
        predictions: out of fold, by target.
        labels: data set and identifier -> label of the relaxed crystal, which tells whether it is
            stable in the potential.
    """

    def unstable(record: Record) -> bool | None:
        label = labels.get((record.dataset, record.source_id))
        return None if label is None or not label.converged else not label.stable

    def large(record: Record) -> bool | None:
        tensor = record.targets.get(TOTAL.name)
        return None if tensor is None else bool(TOTAL.large(np.asarray(tensor)[None])[0])

    sources = {
        UnstableWarning.flag: (STIFFNESS.name, (STIFFNESS.name, MODULI.targets[0].name), unstable),
        SoftModeWarning.flag: (TOTAL.name, (TOTAL.name,), large),
    }
    found = {}
    for flag, (quantity, names, deserves) in sources.items():
        scored = [predictions[name] for name in names if name in predictions]
        if fitted := scored and _fitted(flag, quantity, scored, deserves):
            found[flag] = fitted
    return found


def _fitted(
    flag: str, quantity: str, scored: list[Predictions], deserves: Callable[[Record], bool | None]
) -> Suspicion | None:
    target = targets()[quantity]
    assert isinstance(target, TensorTarget)
    columns = [
        name
        for name in (*target.error_columns(), *CHEMICAL_CLASSES)
        if all(name in one.features for one in scored)
    ]
    told = [deserves(record) for one in scored for record in one.records]
    known = np.array([answer is not None for answer in told])
    truth = np.array([bool(answer) for answer in told])[known]
    if min(truth.sum(), (~truth).sum()) < FEWEST:
        return None
    design = np.concatenate([np.stack([one.features[c] for c in columns], 1) for one in scored])
    design = design[known]
    formulas = [record.reduced_formula for one in scored for record in one.records]
    parts = partition(formulas, PARTS)[known]
    raised = np.zeros(len(truth), dtype=bool)
    for part in np.unique(parts):
        held = parts == part
        coefficients, constant, above = _regression(design[~held], truth[~held])
        raised[held] = design[held] @ coefficients + constant > above
    coefficients, constant, above = _regression(design, truth)
    always = ALWAYS.get(flag, {})
    for name in always:
        raised |= np.concatenate([one.features[name] for one in scored])[known] > 0
    return Suspicion(
        coefficients={CONSTANT: constant, **dict(zip(columns, map(float, coefficients))), **always},
        above=above,
        rates={
            "caught": float(raised[truth].mean()),
            "false_alarms": float(raised[~truth].mean()),
            "deserving": int(truth.sum()),
            "others": int((~truth).sum()),
        },
    )


def _regression(design: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Coefficients of the features (n, p), constant, and the value above which a flag is raised."""
    scaler = StandardScaler().fit(design)
    fit = LogisticRegression(C=STRENGTH, max_iter=1000).fit(scaler.transform(design), truth)
    coefficients = fit.coef_[0] / scaler.scale_
    constant = float(fit.intercept_[0] - coefficients @ scaler.mean_)
    return coefficients, constant, float(np.quantile(design @ coefficients + constant, 1 - RAISED))
