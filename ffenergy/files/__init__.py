"""Files written whole or not at all, and documents that somebody else may have written."""
