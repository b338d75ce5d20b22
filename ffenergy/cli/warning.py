"""Words to the user that are neither the answer nor an error."""

from __future__ import annotations

import click


def warn(line: str) -> None:
    """Say a line on standard error."""
    click.echo(line, err=True)
