"""Trained models: weights with a card, how far off they are, and what they were trained on."""
