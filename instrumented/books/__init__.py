"""The books of a trace: places, layouts, operations, events; what is written down."""
