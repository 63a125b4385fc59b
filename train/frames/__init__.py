"""In which frame a piezoelectric tensor was written down.

Those of the public set are neither all in the frame of their structure nor all in that of the IEEE
standard, and what brings the structure to itself, a rotation of its normaliser, may still change
the sign of the tensor or swap axes: 90 degrees about an edge of zincblende does. So the frame of a
row is unknown. It is chosen by physics: where a potential says that the ions go under strain, times
their charges, is the ionic part of the tensor, which the whole resembles in direction and, but for
what the electrons do, in size and sign.
"""
