"""Networks begin with the chemistry of a universal potential: before tensors teach, a network
learns what the last layers of the potential say of an atom, on crystals that no data set has.

Energies of 150,000 materials are behind that, and a thousand tensors need not tell it again.
"""
