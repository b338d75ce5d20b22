"""What NumPy's functions do to memory: one rule each, as data where possible."""
