"""`instrumented run`: somebody's NumPy script, unchanged, with its arrays traced."""
