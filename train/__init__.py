"""Fitting: data sources, curation, folds, losses, metrics and recipes."""
