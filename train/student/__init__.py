"""One network that says what an ensemble says: a student, taught by the ensemble on any crystals.

What it learns needs no first-principles tensor, so there is no lack of crystals (G. Hinton, O.
Vinyals and J. Dean, arXiv:1503.02531).
"""
