"""Needs what nobody has."""
from no_module_of_this_name import anything
