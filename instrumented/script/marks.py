"""The names that marked code calls, which live in the builtins, and what stands for them elsewhere.

:mod:`instrumented.script.rewriting` puts them into the source, and
:mod:`instrumented.script.borders` is what they call.
"""

from __future__ import annotations

CALLED = "__instrumented_called__"
"""Takes a function about to be called; returns it, or a stand-in that notes what leaves."""

RETURNED = "__instrumented_returned__"
"""Takes what a call returned; a plain array comes in."""

RETURNING = "__instrumented_returning__"
"""Takes what a function of the user's returns; if a library called it, what is traced leaves."""

FOUND = "__instrumented_found__"
"""Takes an attribute or an item; a plain array comes in."""

ITEM = "__instrumented_item__"
"""Takes an object and an index; returns the item. A library gets an index without traced values."""

INDEX = "__instrumented_index__"
"""Takes an object that something is stored into and the index; returns the index."""

STORED = "__instrumented_stored__"
"""Takes a value and what it is stored into, which is looked up last; a library gets plain lists."""

GIVEN = "__instrumented_given__"
"""As above, of an attribute: a library's object gets plain values, and lists as they are."""

UPDATED = "__instrumented_updated__"
"""Takes an object and an index; returns what has the item as its ``value``, to be changed there."""

UPDATED_FIELD = "__instrumented_updated_field__"
"""Takes an object and the name of an attribute; returns what has it as ``value``, as above, or is
given one."""

EACH = "__instrumented_each__"
"""Takes what C code is about to run through; plain arrays in it come in, one at a time."""

NAMED = "__instrumented_named__"
"""Takes a dict of keyword arguments; plain arrays in it come in."""

SLICE = "__instrumented_slice__"
"""The builtin ``slice``, whatever the module calls so."""

ITSELF = "__instrumented_itself__"
"""Takes an operand of ``is``; returns NumPy's own function for one that stands in for it."""

ARRAY_METHOD = "__instrumented_array__"
"""Decorates ``__array__`` of a class: NumPy needs a plain array of it."""

FORMATTED = "__instrumented_formatted__"
"""Takes the operand of a format string; what is traced in it leaves."""

REMAINDER = "__instrumented_remainder__"
"""``left % right``, of which the left may be a format string."""

TYPE = "__instrumented_type__"
"""``type(x)``, which knows that a traced array is an ndarray."""

TYPE_HANDED_ON = "__instrumented_type_handed_on__"
"""``type`` where it is not called but given on, to be called there: ``map(type, values)``."""

EXECUTED = "__instrumented_executed__"
"""Takes ``eval`` or ``exec``, by name, and their arguments; returns those, the code marked."""

KIND = "__instrumented_kind__"
"""The builtin ``type``, whatever the module calls so."""

PLAIN_ARRAY = "__instrumented_ndarray__"
"""``numpy.ndarray``: what arrays that come in are tested against."""

ELSEWHERE = f"""[
    vars(__import__("builtins")).setdefault(name, mark)
    for name, mark in {{
        "{CALLED}": lambda function: function,
        "{RETURNED}": lambda value: value,
        "{RETURNING}": lambda value: value,
        "{FOUND}": lambda value: value,
        "{ITEM}": lambda owner, index: owner[index],
        "{INDEX}": lambda owner, index: index,
        "{STORED}": lambda value, owner: value,
        "{GIVEN}": lambda value, owner: value,
        "{UPDATED}": type("Updated", (), {{
            "__init__": lambda self, owner, index: vars(self).update(owner=owner, index=index),
            "value": property(
                lambda self: self.owner[self.index],
                lambda self, value: self.owner.__setitem__(self.index, value),
            ),
        }}),
        "{UPDATED_FIELD}": type("Updated", (), {{
            "__init__": lambda self, owner, name: vars(self).update(owner=owner, name=name),
            "value": property(
                lambda self: getattr(self.owner, self.name),
                lambda self, value: setattr(self.owner, self.name, value),
            ),
        }}),
        "{EACH}": lambda value: value,
        "{NAMED}": lambda value: value,
        "{SLICE}": slice,
        "{ITSELF}": lambda value: value,
        "{ARRAY_METHOD}": lambda function: function,
        "{FORMATTED}": lambda value: value,
        "{REMAINDER}": lambda left, right: left % right,
        "{TYPE}": type,
        "{TYPE_HANDED_ON}": type,
        "{EXECUTED}": lambda name, *given: given,
        "{KIND}": type,
        "{PLAIN_ARRAY}": None,
    }}.items()
] and type("Marks", (), {{"__reduce__": lambda _: (eval, (text, {{"text": text}}))}})()"""
"""An expression that makes marks which do nothing, for a process that marked code was sent to; its
value does the same where it is sent on. It finds itself as ``text``."""
