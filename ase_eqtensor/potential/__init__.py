"""A potential, or any ASE calculator, as a second opinion: relaxed crystals and their responses."""
