"""Crystals: input checks, symmetry, likely metals, and the graph that the network sees."""
