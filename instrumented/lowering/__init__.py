"""From recorded events to instructions over blocks, at operation or tile grain."""
