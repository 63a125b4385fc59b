"""Prediction: crystals in, tensors with their errors, provenance and flags out."""
