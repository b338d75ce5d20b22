"""What learning rules are built from: layers, normalisation, optimisers, negatives, head."""
