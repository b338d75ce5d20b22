"""From a run to its tables, sentences and pictures: data first, formatting last."""
