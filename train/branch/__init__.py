"""The branch of odd parity, taught on the features of a network that stays as it is.

A tensor of odd rank is known of some hundred crystals only. Their features are computed once, and
with them everything in the branch's convolution that does not depend on its weights: an epoch takes
a second. The other tensors of the network remain what they were.
"""
