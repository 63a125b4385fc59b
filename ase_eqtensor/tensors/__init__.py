"""Tensor algebra: notation, irreps, the bounded exponential map and elastic moduli."""
