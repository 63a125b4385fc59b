"""A potential as a teacher: crystals labelled with the stiffness that a calculator gives them."""
