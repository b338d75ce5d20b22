"""The command line: thin commands over the trainers and the reports."""

from ffenergy.cli.group import main

__all__ = ["main"]
