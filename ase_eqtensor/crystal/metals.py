def is_likely_metal(atoms): return False
