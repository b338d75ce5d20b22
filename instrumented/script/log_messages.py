"""What a script logs leaves where its message is made, on the line that logged it.

``%.2f`` reads a number in C, where it cannot notice; elsewhere the marks see to it. A message that
no handler wants is never made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from instrumented.script.tracebacks import replaced


@contextmanager
def log_messages_noted(formatted: Callable[[Any], Any]) -> Iterator[None]:
    """Have messages made of what ``formatted`` returns for their arguments."""
    plain = logging.LogRecord.getMessage

    def message(record: logging.LogRecord) -> str:
        given = record.args
        record.args = formatted(given)
        try:
            return plain(record)
        finally:
            record.args = given

    with replaced(logging.LogRecord, "getMessage", message):
        yield
