"""The pictures: pure functions from tables to figures."""
