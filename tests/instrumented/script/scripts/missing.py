"""A module that is not there, asked for by one of the script's own modules."""
import numpy as np

try:
    import no_module_of_this_name
except ImportError as error:
    print(type(error).__name__, error, np.ones(3).sum())
import package.broken
