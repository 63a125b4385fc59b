"""How a network's tensors and those of a potential make better ones: fits, scores and bounds."""
