"""Sweeps: many trainings from one TOML file, cell by cell, on one machine or a cluster."""
