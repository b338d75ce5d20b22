"""A run on disk, and what is in it."""
