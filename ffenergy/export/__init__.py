"""A run in the formats of other tools: Perfetto's trace events, Parquet."""
