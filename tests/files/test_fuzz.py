"""Some damaged files of every kind; `python tests/files/fuzz.py` runs thousands."""

import numpy as np
from fuzz import KINDS, damaged, originals, run


def test_damaged_inputs_end_in_results_or_typed_errors():
    outcomes, broken = run(range(210))
    assert broken == []
    kinds = {kind for kind, _ in outcomes}
    assert kinds == {"row", *KINDS}
    assert {outcome for _, outcome in outcomes} == {"results", "errors"}


def test_the_files_are_damaged(tmp_path):
    rng = np.random.default_rng(0)
    for contents in originals(tmp_path).values():
        assert sum(damaged(content, rng) != content for content in contents) > len(contents) / 2
