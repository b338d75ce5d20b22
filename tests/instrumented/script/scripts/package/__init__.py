"""A package of the user's, run with -m."""
