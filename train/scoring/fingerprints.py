"""Fingerprints of the crystals that a network learnt from."""

from collections.abc import Sequence

import numpy as np

from ase_eqtensor.models.fingerprints import Fingerprints
from ase_eqtensor.train.fitting.samples import Sample
from ase_eqtensor.train.scoring.outputs import read
from ase_eqtensor.train.targets import DATASETS, targets


def fingerprints_of(
    network, samples: Sequence[Sample], learnt: np.ndarray | None = None
) -> Fingerprints:
    """Fingerprints of the crystals from which members of a network learnt what first principles
    know; `learnt` (n, M) says which, by default all.
    """
    known = [i for i, s in enumerate(samples) if not DATASETS[s.record.dataset].derived]
    chosen = [samples[i] for i in known]
    invariants = read(network, chosen)[0].invariants.numpy()
    learnt = np.ones((len(samples), len(invariants)), bool) if learnt is None else learnt
    by_name = targets()
    teaches = {
        name: np.array([name in {by_name[t].quantity.name for t in s.values} for s in chosen])
        for name in dict.fromkeys(by_name[t].quantity.name for s in chosen for t in s.values)
    }
    return Fingerprints.of(invariants, learnt[known], teaches)
