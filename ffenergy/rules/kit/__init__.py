"""What rules are written with: what surrounds them, their stages, the head, the random streams."""
