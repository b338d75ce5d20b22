"""LRU stack distances, ByteDMD, and the scalar grain."""
